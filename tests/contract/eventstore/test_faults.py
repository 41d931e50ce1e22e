"""The suite itself is tested: it must find out every store that breaks a promise."""

import pytest

from libs.eventstore.port import StoreError
from libs.eventstore.sqlite import SqliteStore
from tests.contract.eventstore import scene
from tests.contract.eventstore.faults import FAULTS, Honest
from tests.contract.eventstore.suite import CHECKS

FOUND_OUT = (AssertionError, StoreError, TimeoutError, pytest.fail.Exception)


@pytest.mark.parametrize("name", sorted({name for names in FAULTS.values() for name in names}))
async def test_an_honest_store_is_not_accused(embedded: SqliteStore, name: str) -> None:
    """A store that only passes calls on passes the checks that find the broken ones out."""
    await CHECKS[name](Honest(embedded))


@pytest.mark.parametrize(
    ("fault", "name"),
    [pytest.param(fault, name) for fault, names in FAULTS.items() for name in names],
)
async def test_a_broken_store_is_found_out(
    embedded: SqliteStore, fault: type[Honest], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that breaks one promise fails every check that is about this promise."""
    monkeypatch.setattr(scene, "patience", 0.5)
    with pytest.raises(FOUND_OUT):
        await CHECKS[name](fault(embedded))
