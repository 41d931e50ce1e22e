"""The event store: appends, reads, the wire, latency and memory."""

import asyncio
from pathlib import Path

from tests.bench import appends, latency, memory, reads, wire
from tests.bench.log import make_log
from tests.bench.report import Row
from tests.contract.eventstore_wire.process import server

EVENTS = 1_000_000


def measure(folder: Path, events: int = EVENTS) -> list[Row]:
    """Measure all of it, most of it on one log of a million events."""
    rows = appends.measure(folder)
    log = folder / "log.db"  # where the server looks for it
    asyncio.run(make_log(log, events))
    rows += reads.measure(log)
    with server(folder) as running:
        rows += memory.measure(running.url, running.process.pid)
        rows += wire.measure(running.url)
        rows += latency.measure(f"sqlite:///{folder / 'shared.db'}", running.url)
    return rows
