"""Is there such a thing at all? Asked of the log itself, remembered once the answer is yes."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

from libs.eventstore.port import EventStore, StreamNotFound, StreamTombstoned

_AT_ONCE = 32


class Known:
    """Which streams of one category exist; what was seen to exist is kept in memory."""

    def __init__(self, store: EventStore, category: str, capacity: int = 100_000) -> None:
        """Look after streams called `category-…`, remembering at most ``capacity``."""
        self._store, self._category, self._capacity = store, category, capacity
        self._seen: OrderedDict[str, None] = OrderedDict()

    def add(self, key: str) -> None:
        """Remember that `category-key` exists."""
        self._seen[key] = None
        if len(self._seen) > self._capacity:
            self._seen.popitem(last=False)

    async def has(self, key: str) -> bool:
        """Say whether `category-key` exists."""
        return key in self._seen or await self._look(key)

    async def missing(self, keys: Iterable[str]) -> set[str]:
        """Answer those of ``keys`` that do not exist."""
        unseen = [key for key in dict.fromkeys(keys) if key not in self._seen]
        absent: set[str] = set()
        for start in range(0, len(unseen), _AT_ONCE):
            some = unseen[start : start + _AT_ONCE]
            found = await asyncio.gather(*map(self._look, some))
            absent.update(key for key, there in zip(some, found, strict=True) if not there)
        return absent

    async def _look(self, key: str) -> bool:
        try:
            async for _ in self._store.read_stream(f"{self._category}-{key}", limit=1):
                self.add(key)
                return True
        except (StreamNotFound, StreamTombstoned):
            return False
        return False
