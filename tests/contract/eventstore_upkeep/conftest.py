"""A log for each test to damage, copy and replace."""

from pathlib import Path

import pytest

from tests.contract.eventstore_upkeep.scene import make_log


@pytest.fixture
async def log(tmp_path: Path) -> Path:
    """The log of ``make_log``, 47 events, open nowhere, alone in its directory."""
    path = tmp_path / "live" / "log.db"
    path.parent.mkdir()
    await make_log(path)
    return path
