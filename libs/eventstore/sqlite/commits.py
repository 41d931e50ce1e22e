"""Group commit: everything that waits to be written shares one transaction and one fsync.

Only the waiting is done in a thread (for the disk, and for another process's lock). The
statements run on the event loop, in slices: apsw lets go of the interpreter lock at each of them,
and a thread has to win it back from the loop every time. With an idle loop both are equally fast;
with a busy one a thread made 22 appends a second where the loop makes thousands.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import apsw

from libs.eventstore.port import StoreError, StoreUnavailable
from libs.eventstore.sqlite.advice import LOCK_WAIT, explained
from libs.eventstore.sqlite.ledger import Ledger

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[], object]
Future = asyncio.Future[Any]
Group = list[tuple[Future, object, Exception | None]]

SLICE = 0.002
"""Seconds of work after which the event loop gets its turn."""

TURNS = 4
"""Turns of the event loop within which callers of this process are back for more."""

GATHER = 0.005
"""Seconds for which a transaction then waits for callers over a network, if there were several."""

FILL = 0.02
"""Seconds after which a transaction takes no more work: other processes wait as long."""


class Commits:
    """Runs work on a ledger in transactions and answers once the work is durable."""

    def __init__(self, path: Path, ledger: Ledger, committed: Callable[[int], None]) -> None:
        """Call ``committed`` with the log's head after each transaction."""
        self._path, self._ledger, self._committed = path, ledger, committed
        self._loop = asyncio.get_running_loop()
        self._thread = Thread(self._loop)
        self._waiting: deque[tuple[Work, Future]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._closed = self._failing = False
        self.transactions = 0
        """How many were committed; work per transaction shows how well they are shared."""

    def submit(self, work: Callable[[], T]) -> "asyncio.Future[T | StoreError]":
        """Have ``work`` done on the ledger; the answer is its result or the StoreError it met.

        Work stands alone: what it raises is its own answer and disturbs nothing else.
        """
        if self._closed:
            msg = "the store was closed"
            raise StoreUnavailable(msg)
        future: asyncio.Future[T | StoreError] = self._loop.create_future()
        self._waiting.append((work, future))
        if self._task is None:
            self._task = self._loop.create_task(self._work_off())
        return future

    async def close(self) -> None:
        """Finish what was submitted, and stop."""
        if self._closed:
            return
        self._closed = True
        if self._task:
            await asyncio.wait([self._task])
        await self._thread.run(lambda: None)  # a cancelled task leaves its commit behind
        self._thread.stop()

    async def _work_off(self) -> None:
        try:
            while self._waiting:
                await self._gather(await self._transaction())
        finally:
            self._task = None

    async def _gather(self, answered: int) -> None:
        """Let those just answered come back, so that they share the next transaction.

        Callers in this process are back within a few turns of the loop. Callers over a network
        trickle in: several of them are waited for, a lone one never is.
        """
        for _ in range(TURNS):
            await asyncio.sleep(0)
            if len(self._waiting) >= answered:
                return
        if answered > 1:
            await asyncio.sleep(GATHER)

    async def _transaction(self) -> int:
        """Do what waits in one transaction; answer how much that was."""
        group: Group = []
        try:
            await self._begin()
            await self._fill(group)
            await self._thread.run(self._ledger.commit)
        except asyncio.CancelledError:  # by whoever cancels every task there is
            self._thread.run(self._ledger.rollback)  # unless it is being committed there
            for future in [*(future for future, _, _ in group), *self._drop_waiting()]:
                future.cancel()
            raise
        except Exception as lost:
            with suppress(apsw.Error):
                self._ledger.rollback()
            failure = explained(lost, self._path)
            self._report(failure)
            futures = [future for future, _, _ in group] or self._drop_waiting()
            group = [(future, type(failure)(*failure.args), None) for future in futures]
        else:
            self.transactions += 1
            self._report(None)
            self._committed(self._ledger.head)
        for future, answer, error in group:
            _settle(future, answer, error)
        return len(group)

    def _report(self, failure: StoreError | None) -> None:
        """Have the log say when writing begins to fail and when it works again, once each."""
        if failure and not self._failing:
            log.error("appends fail: %s", failure)
        elif self._failing and not failure:
            log.warning("appends work again")
        self._failing = failure is not None

    async def _begin(self) -> None:
        begin = self._ledger.begin
        if not begin(0) and not await self._thread.run(lambda: begin(LOCK_WAIT)):
            raise apsw.BusyError

    async def _fill(self, group: Group) -> None:
        full = time.monotonic() + FILL
        while True:
            self._fill_slice(group)
            if not self._waiting or time.monotonic() >= full:
                return
            await asyncio.sleep(0)

    def _fill_slice(self, group: Group) -> None:
        until = time.monotonic() + SLICE
        while self._waiting:
            work, future = self._waiting.popleft()
            if future.cancelled():
                continue
            try:
                group.append((future, work(), None))
            except StoreError as refusal:
                group.append((future, refusal, None))
            except apsw.ConstraintError as wrong:  # a value of another type than the port's
                group.append((future, None, TypeError(str(wrong))))
            except apsw.Error:
                group.append((future, None, None))
                raise
            except Exception as mistake:
                group.append((future, None, mistake))
            if time.monotonic() >= until:
                return

    def _drop_waiting(self) -> list[Future]:
        dropped = [future for _, future in self._waiting]
        self._waiting.clear()
        return dropped


class Thread:
    """A thread that makes one call after another (an executor's takes twice as long to answer)."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: SimpleQueue[tuple[Callable[[], object], Future] | None] = SimpleQueue()
        threading.Thread(target=self._work, name="eventstore-commit", daemon=True).start()

    def run(self, call: Callable[[], T]) -> "asyncio.Future[T]":
        """Make a call; the answer is its result or what it raised."""
        future = self._loop.create_future()
        self._calls.put((call, future))
        return future

    def stop(self) -> None:
        """Make no more calls."""
        self._calls.put(None)

    def _work(self) -> None:
        while item := self._calls.get():
            call, future = item
            answer, error = None, None
            try:
                answer = call()
            except Exception as raised:
                error = raised
            with suppress(RuntimeError):  # the loop was closed: nobody waits
                self._loop.call_soon_threadsafe(_settle, future, answer, error)


def _settle(future: Future, answer: object, error: Exception | None) -> None:
    if future.done():  # whoever waited was cancelled
        return
    if error:
        future.set_exception(error)
    else:
        future.set_result(answer)
