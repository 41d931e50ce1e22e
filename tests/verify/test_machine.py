"""Anything in any order, on a store and on a model of it."""

import asyncio
import time
from pathlib import Path

import pytest

from libs.eventstore.connect import connect
from libs.eventstore.port import EventStore
from libs.eventstore.sqlite import open_sqlite
from tests.contract.eventstore.faults import FAULTS, GovernsByTheLastWord
from tests.verify.exploring import Explored, explore
from tests.verify.faults import broken
from tests.verify.report import Report
from tests.verify.scale import scaled
from tests.verify.served import store_server

CHECK = "against a model"
STEPS = 50
EMBEDDED = scaled(2_000, 20)
OVER_THE_WIRE = scaled(500, 10)

BEYOND = {GovernsByTheLastWord}
"""What the model does not know of: it governs streams, and leaves their metastreams alone."""


def test_embedded_store_does_as_the_model(tmp_path: Path, report: Report) -> None:
    """Every answer, refusal and event of the embedded store is the model's."""
    begun = time.monotonic()

    async def open_store(name: str) -> EventStore:
        return await open_sqlite(tmp_path / f"{name}.db")

    with asyncio.Runner() as runner:
        explored = explore(runner, open_store, examples=EMBEDDED, steps=STEPS)
    tell("embedded", explored, report, begun)


def test_served_store_does_as_the_model(tmp_path: Path, report: Report) -> None:
    """The same over the wire: a server process, and the official client in front of it."""
    begun = time.monotonic()
    with store_server(tmp_path) as port, asyncio.Runner() as runner:

        async def open_store(_: str) -> EventStore:
            return await connect(f"kurrentdb://127.0.0.1:{port}?tls=false")

        explored = explore(runner, open_store, examples=OVER_THE_WIRE, steps=STEPS)
    tell("over the wire", explored, report, begun)


def tell(way: str, explored: Explored, report: Report, begun: float) -> None:
    """Tell the report what was done without finding a difference, at which it would have ended."""
    figures = {"examples": explored.examples, "calls compared": explored.calls}
    report.tell(CHECK, way, figures, begun)


@pytest.mark.parametrize("fault", [fault.__name__ for fault in FAULTS if fault not in BEYOND])
def test_a_broken_store_is_found_out(tmp_path: Path, report: Report, fault: str) -> None:
    """A store that breaks any promise of the port differs from the model within a few examples."""

    async def open_store(name: str) -> EventStore:
        return broken(await open_sqlite(tmp_path / f"{name}.db"), fault)

    with asyncio.Runner() as runner, pytest.raises((AssertionError, TimeoutError)):
        explore(runner, open_store, examples=200, steps=30, patience=0.5, minimal=False)
    report.found_out(CHECK, fault, ["a difference"])
