"""The embedded store, in a directory of the test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libs.eventstore.port import EventStore
from libs.eventstore.sqlite import open_sqlite


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[EventStore]:
    """A store with nothing in it."""
    store = await open_sqlite(tmp_path / "events.db")
    yield store
    await store.close()
