"""The proof against a model in short: anything in any order, embedded and over the wire."""

import asyncio
from pathlib import Path

import pytest

from libs.eventstore.connect import connect
from libs.eventstore.port import EventStore
from libs.eventstore.sqlite import open_sqlite
from tests.verify.exploring import explore
from tests.verify.faults import broken
from tests.verify.served import store_server


def test_embedded_store_does_as_the_model(tmp_path: Path) -> None:
    """Every answer, refusal and event of the embedded store is the model's."""

    async def open_store(name: str) -> EventStore:
        return await open_sqlite(tmp_path / f"{name}.db")

    with asyncio.Runner() as runner:
        explore(runner, open_store, examples=25, steps=30, repeatable=True)


def test_served_store_does_as_the_model(tmp_path: Path) -> None:
    """The same over the wire: a server process, and the official client in front of it."""
    with store_server(tmp_path) as port, asyncio.Runner() as runner:

        async def open_store(_: str) -> EventStore:
            return await connect(f"kurrentdb://127.0.0.1:{port}?tls=false")

        explore(runner, open_store, examples=8, steps=30, repeatable=True)


@pytest.mark.parametrize("fault", ["IgnoresTheExpectedRevision", "SkipsAnEventNowAndThen"])
def test_a_broken_store_is_found_out(tmp_path: Path, fault: str) -> None:
    """A store that breaks a promise differs from the model within a few examples."""

    async def open_store(name: str) -> EventStore:
        return broken(await open_sqlite(tmp_path / f"{name}.db"), fault)

    with asyncio.Runner() as runner, pytest.raises((AssertionError, TimeoutError)):
        explore(runner, open_store, examples=100, steps=30, patience=0.5, minimal=False)
