"""Every check of the suite, over every way to a store."""

import pytest

from libs.eventstore.port import EventStore
from tests.contract.eventstore.suite import CHECKS


@pytest.mark.parametrize("check", CHECKS)
async def test_store_keeps_its_contract(store: EventStore, check: str) -> None:
    """A store, whatever it is made of, does what the check's first line says."""
    await CHECKS[check](store)
