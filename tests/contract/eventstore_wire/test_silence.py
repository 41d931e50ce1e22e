"""A subscription that falls silent while the log goes on, or because nothing happens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from libs.eventstore.kurrent import KurrentStore, open_kurrent
from libs.eventstore.kurrent import store as adapter
from libs.eventstore.port import Batch, EventStore, Expected, Filter, NewEvent
from libs.eventstore.sqlite import open_sqlite
from services.eventstore.server import Server


class FallsSilent:
    """A store whose first subscriptions say nothing any more once they have caught up."""

    def __init__(self, store: EventStore, silent: int) -> None:
        self._store, self._silent, self.subscriptions = store, silent, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def subscribe(self, **how: Any) -> AsyncIterator[Batch]:
        self.subscriptions += 1
        silent = self.subscriptions <= self._silent
        async for batch in self._store.subscribe(**how):
            yield batch
            if silent and batch.caught_up:
                await asyncio.Event().wait()


@asynccontextmanager
async def served(folder: Path, silent: int) -> AsyncIterator[tuple[FallsSilent, KurrentStore]]:
    """Such a store, and what the adapter sees of it through a server."""
    embedded = await open_sqlite(folder / "log.db")
    store = FallsSilent(embedded, silent)
    server = Server(cast("EventStore", store))
    port = await server.start("127.0.0.1", 0)
    reached = await open_kurrent(f"kurrentdb://127.0.0.1:{port}?tls=false")
    yield store, reached
    await reached.close()
    await server.stop(1)
    await embedded.close()


async def note(store: KurrentStore) -> None:
    """Append an event."""
    await store.append("order-1", [NewEvent(uuid4(), "Noted", b"{}")], Expected.ANY)


@pytest.mark.parametrize("kinds", [frozenset[str](), frozenset({"Noted"}), frozenset({"Other"})])
async def test_silent_subscription_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: frozenset[str]
) -> None:
    """Whatever is appended in the silence arrives, once, and checkpoints go on as well."""
    monkeypatch.setattr(adapter, "WATCH", 0.05)
    revisions: list[int] = []
    async with served(tmp_path, silent=3) as (silent, store), asyncio.timeout(15):
        async for batch in store.subscribe(filter=Filter(types=kinds)):
            revisions += [event.revision for event in batch.events]
            if silent.subscriptions > 3 and batch.position == await store.head():
                break
            if batch.caught_up:
                await note(store)
    assert silent.subscriptions == 4
    assert revisions == ([] if "Other" in kinds else [0, 1, 2])


async def test_quiet_log_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A subscription that has nothing to say, because nothing happens, is not begun again."""
    monkeypatch.setattr(adapter, "WATCH", 0.02)
    reached = 0

    async def follow(store: KurrentStore) -> None:
        nonlocal reached
        async for batch in store.subscribe(filter=Filter(types=frozenset({"Other"}))):
            reached = batch.position

    async with served(tmp_path, silent=0) as (silent, store):
        await note(store)
        following = asyncio.create_task(follow(store))
        await asyncio.sleep(0.5)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    assert silent.subscriptions == 1
    assert reached == 1
