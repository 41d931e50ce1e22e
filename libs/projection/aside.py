"""Questions that look at many rows: asked in a thread, so that the event loop answers others."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

import apsw

T = TypeVar("T")


class Aside:
    """A connection that nobody else uses; one look at it after the other, each at a snapshot."""

    def __init__(self, db: apsw.Connection) -> None:
        """Look at ``db``, which may be used in threads."""
        self._db, self._lock = db, threading.Lock()

    async def read(self, look: Callable[[apsw.Connection], T]) -> T:
        """Answer what ``look`` does; all its statements see the same rows."""
        return await asyncio.to_thread(self._read, look)

    def _read(self, look: Callable[[apsw.Connection], T]) -> T:
        with self._lock:
            self._db.execute("BEGIN")
            try:
                return look(self._db)
            finally:
                self._db.execute("COMMIT")
