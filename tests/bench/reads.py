"""Reading the log in order, against a raw scan of the same table."""

import asyncio
import time
from pathlib import Path
from statistics import median

import apsw

from libs.eventstore.connect import connect
from libs.eventstore.port import EventStore
from tests.bench.report import Row


async def read_all(store: EventStore, events: int) -> float:
    """Read the log's first `events`; answer events per second."""
    started = time.perf_counter()
    count = sum([len(batch.events) async for batch in store.read_all(limit=events)])
    return count / (time.perf_counter() - started)


def scan(db: apsw.Connection, events: int) -> float:
    """Step through the first rows of the table `log`, all columns; answer rows per second."""
    started = time.perf_counter()
    rows = db.execute("SELECT * FROM log ORDER BY position LIMIT ?", (events,))
    count = sum(1 for _ in rows)
    return count / (time.perf_counter() - started)


def measure(path: Path, events: int = 100_000, rounds: int = 7) -> list[Row]:
    """Read the log at `path` in both ways, turn by turn."""

    async def run() -> tuple[float, float]:
        store, db = await connect(f"sqlite:///{path}"), apsw.Connection(str(path))
        ours, scanned = [], []
        for _ in range(rounds):
            ours.append(await read_all(store, events))
            scanned.append(scan(db, events))
        db.close()
        await store.close()
        return median(ours), median(scanned)

    ours, scanned = asyncio.run(run())
    return [
        Row(
            "log read in order, read_all",
            f"{ours:,.0f} events/s",
            f"apsw, scan of the table alone: {scanned:,.0f} rows/s",
            ours / scanned,
            0.4,
        )
    ]
