"""Ending what would never end by itself: subscriptions, when the process is asked to stop."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

T = TypeVar("T")


class Draining(Exception):
    """The store is shutting down; the reader may come again, from its checkpoint."""


class Drain:
    """Wakes every call that waits for news with Draining, once the process is to stop."""

    def __init__(self) -> None:
        self._begun = False
        self._waiting: set[asyncio.Task[object]] = set()

    async def news(self, source: AsyncIterator[T]) -> T:
        """Answer what `source` brings next. Raises Draining when the process stops before."""
        task = asyncio.current_task()
        if self._begun or task is None:
            raise Draining("the store is shutting down")
        self._waiting.add(task)
        try:
            return await anext(source)
        except asyncio.CancelledError:
            if self._begun and not task.uncancel():
                raise Draining("the store is shutting down") from None
            raise
        finally:
            self._waiting.discard(task)

    def begin(self) -> None:
        """Wake those who wait now; whoever would wait later is told at once."""
        self._begun = True
        for task in self._waiting:
            task.cancel()
