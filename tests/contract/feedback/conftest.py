"""The feedback service, running."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libs.eventstore.port import EventStore
from tests.contract.feedback.desk import Desk, open_desk


@pytest.fixture
async def desk(embedded: EventStore, tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk with two customers who are known, 7 and 8, and two functions: research and service."""
    async with open_desk(embedded, tmp_path / "views") as one:
        await one.customers("7", "8")
        await one.functions("research", "service")
        yield one
