"""Group commit: everything that waits to be written shares one transaction and one fsync.

Only the waiting is done in a thread (for a disk that takes its time, and for another process's
lock). The statements run on the event loop, in slices: apsw lets go of the interpreter lock at
each of them, and a thread has to win it back from the loop every time. With an idle loop both are
equally fast; with a busy one a thread made 22 appends a second where the loop makes thousands.
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
from typing import Any, NamedTuple, TypeVar, cast, overload

import apsw

from libs.eventstore.port import Append, Appended, StoreError, StoreUnavailable
from libs.eventstore.sqlite.advice import LOCK_WAIT, explained
from libs.eventstore.sqlite.ledger import Ledger

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Append | Callable[[], object]
Future = asyncio.Future[Any]

SLICE = 0.002
"""Seconds of work after which the event loop gets its turn."""

QUICK = 0.001
"""Seconds within which a commit is waited for on the event loop: a thread costs a tenth of that."""

SHUN = 100
"""After a commit that took longer, this many times as long all are waited for in the thread."""

TOGETHER = 64
"""Most appends in one statement: half a millisecond, and twice that if one of them is refused."""

TURNS = 4
"""Turns of the event loop within which callers of this process are back for more."""

GATHER = 0.005
"""Seconds for which a transaction then waits for callers over a network, if there were several."""

FILL = 0.02
"""Seconds after which a transaction takes no more work: other processes wait as long."""


class Run(NamedTuple):
    """Work to be done one after another: appends, or one thing else."""

    work: list[Work]
    futures: list[Future]

    def takes(self, work: Work) -> bool:
        """Say whether more of it may be done together with what is here."""
        return (
            isinstance(work, Append)
            and isinstance(self.work[0], Append)
            and len(self.work) < TOGETHER
        )


class Group(NamedTuple):
    """Those who share a transaction, and what each is to be told once it is durable."""

    futures: list[Future]
    outcomes: list[object]


class Commits:
    """Runs work on a ledger in transactions and answers once the work is durable."""

    def __init__(self, path: Path, ledger: Ledger, committed: Callable[[int], None]) -> None:
        """Call ``committed`` with the log's head after each transaction."""
        self._path, self._ledger, self._committed = path, ledger, committed
        self._loop = asyncio.get_running_loop()
        self._thread = Thread(self._loop)
        self._runs: deque[Run] = deque()
        self._waiting = 0
        self._shunned = 0.0
        self._task: asyncio.Task[None] | None = None
        self._closed = self._failing = False
        self.transactions = 0
        """How many were committed; work per transaction shows how well they are shared."""

    @overload
    def submit(self, work: Append) -> "asyncio.Future[Appended | StoreError]": ...

    @overload
    def submit(self, work: Callable[[], T]) -> "asyncio.Future[T | StoreError]": ...

    def submit(self, work: Work) -> Future:
        """Have ``work`` done on the ledger; the answer is its result or the StoreError it met.

        Work stands alone: what it raises is its own answer and disturbs nothing else.
        """
        if self._closed:
            msg = "the store was closed"
            raise StoreUnavailable(msg)
        future = self._loop.create_future()
        self._waiting += 1
        if self._runs and self._runs[-1].takes(work):
            last = self._runs[-1]
            last.work.append(work)
            last.futures.append(future)
        else:
            self._runs.append(Run([work], [future]))
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
            if self._waiting >= answered:
                return
        if answered > 1:
            await asyncio.sleep(GATHER)

    async def _transaction(self) -> int:
        """Do what waits in one transaction; answer how much that was."""
        group = Group([], [])
        try:
            await self._begin()
            await self._fill(group)
            await self._commit()
        except asyncio.CancelledError:  # by whoever cancels every task there is
            self._thread.run(self._ledger.rollback)  # unless it is being committed there
            for future in [*group.futures, *self._drop_waiting()]:
                future.cancel()
            raise
        except Exception as lost:
            with suppress(apsw.Error):
                self._ledger.rollback()
            failure = explained(lost, self._path)
            self._report(failure)
            futures = group.futures or self._drop_waiting()
            group = Group(futures, [type(failure)(*failure.args) for _ in futures])
        else:
            self.transactions += 1
            self._report(None)
            self._committed(self._ledger.head)
        for future, outcome in zip(group.futures, group.outcomes, strict=True):
            if type(outcome) is Appended and not future.done():  # as most are
                future.set_result(outcome)
            else:
                _settle(future, outcome)
        return len(group.futures)

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

    async def _commit(self) -> None:
        ledger, started = self._ledger, time.monotonic()
        if started < self._shunned:
            await self._thread.run(ledger.commit)
        else:
            ledger.commit()
            ended = time.monotonic()
            if ended - started > QUICK:
                self._shunned = ended + SHUN * (ended - started)
        if ledger.is_checkpoint_due():
            await self._thread.run(ledger.checkpoint)

    async def _fill(self, group: Group) -> None:
        full = time.monotonic() + FILL
        while True:
            self._fill_slice(group)
            if not self._waiting or time.monotonic() >= full:
                return
            await asyncio.sleep(0)

    def _fill_slice(self, group: Group) -> None:
        until = time.monotonic() + SLICE
        while self._runs:
            work, futures = self._runs.popleft()
            self._waiting -= len(work)
            if any(map(asyncio.Future.cancelled, futures)):
                left = [each for each in zip(work, futures, strict=True) if not each[1].cancelled()]
                work, futures = [each for each, _ in left], [future for _, future in left]
            group.futures.extend(futures)  # they share what befalls the transaction
            group.outcomes.extend(self._together(work) or [self._outcome(each) for each in work])
            if time.monotonic() >= until:
                return

    def _together(self, work: list[Work]) -> list[Appended]:
        """Make several appends at once; none where one of them is hindered."""
        if len(work) < 2:
            return []
        try:
            return self._ledger.append_together(cast("list[Append]", work))
        except apsw.ConstraintError:
            return []
        except apsw.Error:
            raise
        except Exception:  # it is met again by the one whose it is
            return []

    def _outcome(self, work: Work) -> object:
        """Do it, and answer what comes of it: an exception is one's own, and disturbs no other."""
        try:
            return self._ledger.append(*work) if isinstance(work, Append) else work()
        except apsw.ConstraintError as wrong:  # a value of another type than the port's
            return TypeError(str(wrong))
        except apsw.Error:
            raise
        except Exception as refusal:
            return refusal

    def _drop_waiting(self) -> list[Future]:
        dropped = [future for run in self._runs for future in run.futures]
        self._runs.clear()
        self._waiting = 0
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
            try:
                outcome = call()
            except Exception as raised:
                outcome = raised
            with suppress(RuntimeError):  # the loop was closed: nobody waits
                self._loop.call_soon_threadsafe(_settle, future, outcome)


def _settle(future: Future, outcome: object) -> None:
    if future.done():  # whoever waited was cancelled
        return
    if isinstance(outcome, Exception) and not isinstance(outcome, StoreError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
