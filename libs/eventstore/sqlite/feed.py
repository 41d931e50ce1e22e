"""Knowing how far the log goes, and waking whoever waits for more of it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from libs.eventstore.port import StoreError, StoreUnavailable
from libs.eventstore.sqlite.reader import Reader

POLL = 0.01
"""Seconds between two looks for other processes' commits: a subscriber sees them within 20 ms."""

CLOSED = "the store was closed"


class Feed:
    """The head of the log as this process knows it, for those who follow the log.

    Our own commits ``advance`` it at once; while anybody follows, one timer looks for the
    commits of other processes, at a few microseconds a look.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._loop = asyncio.get_running_loop()
        self._followers = 0
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        self._closed = False
        self.head = 0

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Keep ``head`` fresh while somebody follows the log."""
        self._check()
        self._followers += 1
        try:
            self.advance(self._reader.head())
            if self._timer is None:
                self._look()
            yield
        finally:
            self._followers -= 1
            if self._followers == 0 and self._timer:
                self._timer.cancel()
                self._timer = None

    def advance(self, head: int) -> None:
        """Note that the log goes as far as ``head``."""
        if head > self.head:
            self.head = head
            self._wake()

    async def beyond(self, position: int) -> None:
        """Wait until the log goes beyond ``position``.

        Raises StoreUnavailable, StoreCorrupt; whoever comes again afterwards waits anew.
        """
        self._check()
        while self.head <= position:
            future = self._loop.create_future()
            self._waiting.add(future)
            try:
                await future
            finally:
                self._waiting.discard(future)

    def close(self) -> None:
        """Send everybody away with StoreUnavailable."""
        self._closed = True
        if self._timer:
            self._timer.cancel()
        self._send_away(StoreUnavailable(CLOSED))

    def _look(self) -> None:
        try:
            if self._reader.changed():
                self.advance(self._reader.head())
        except StoreError as error:  # it may pass: whoever comes again is let in
            self._send_away(error)
        self._timer = self._loop.call_later(POLL, self._look)

    def _check(self) -> None:
        if self._closed:
            raise StoreUnavailable(CLOSED)

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    def _send_away(self, error: StoreError) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_exception(type(error)(*error.args))
