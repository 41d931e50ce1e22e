"""The official client's two kinds, called alike: what holds for one must hold for the other."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from kurrentdbclient import AsyncKurrentDBClient, KurrentDBClient


class Face:
    """The client for asyncio."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def do(self, method: str, *args: Any, **how: Any) -> Any:
        """Call a method that answers once."""
        return await getattr(self._client, method)(*args, **how)

    async def read(self, method: str, *args: Any, **how: Any) -> list[Any]:
        """Call a method that reads, and answer all that it brings."""
        found = await getattr(self._client, method)(*args, **how)
        return [each async for each in found] if hasattr(found, "__aiter__") else list(found)

    @asynccontextmanager
    async def following(
        self, method: str, *args: Any, **how: Any
    ) -> AsyncIterator[Callable[[int], Any]]:
        """Call a method that subscribes; lend what answers the next so many things."""
        subscription = await getattr(self._client, method)(*args, **how)

        async def take(count: int) -> list[Any]:
            async with asyncio.timeout(10):
                return [await anext(subscription) for _ in range(count)]

        try:
            yield take
        finally:
            await subscription.stop()


class SyncFace(Face):
    """The client that most people use, in a thread."""

    async def do(self, method: str, *args: Any, **how: Any) -> Any:
        """Call a method that answers once."""
        return await asyncio.to_thread(getattr(self._client, method), *args, **how)

    async def read(self, method: str, *args: Any, **how: Any) -> list[Any]:
        """Call a method that reads, and answer all that it brings."""
        return await asyncio.to_thread(lambda: list(getattr(self._client, method)(*args, **how)))

    @asynccontextmanager
    async def following(
        self, method: str, *args: Any, **how: Any
    ) -> AsyncIterator[Callable[[int], Any]]:
        """Call a method that subscribes; lend what answers the next so many things."""
        subscription = await asyncio.to_thread(getattr(self._client, method), *args, **how)

        async def take(count: int) -> list[Any]:
            async with asyncio.timeout(10):
                return await asyncio.to_thread(lambda: [next(subscription) for _ in range(count)])

        try:
            yield take
        finally:
            await asyncio.to_thread(subscription.stop)


@asynccontextmanager
async def face(kind: str, url: str) -> AsyncIterator[Face]:
    """A client of either kind, connected and closed in the end."""
    if kind == "sync":
        client = await asyncio.to_thread(KurrentDBClient, url)
        yield SyncFace(client)
        await asyncio.to_thread(client.close)
        return
    async_client = AsyncKurrentDBClient(url)
    await async_client.connect()
    yield Face(async_client)
    await async_client.close()
