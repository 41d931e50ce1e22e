"""Durable appends, many at once, against the same rows in raw SQLite with the same group size."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from uuid import uuid4

from libs.eventstore.connect import connect
from libs.eventstore.port import EventStore, Expected, ExpectedState, NewEvent
from libs.eventstore.sqlite.file import Patience, open_writer
from libs.eventstore.sqlite.ledger import CHECKPOINT
from tests.bench.report import Row

AT_ONCE = (1, 16, 64, 256)

LIFE = 4
"""Events of a stream, each appended by itself: what most things here live to see."""

DATA, METADATA = b"d" * 160, b"m" * 240
"""About what a FeedbackReceived and its metadata take."""

GOAL = 0.6

Life = tuple[str, list[NewEvent]]


def lives(streams: int) -> list[Life]:
    """Answer new streams, and the events that each of them will see."""
    return [
        (f"feedback-{uuid4()}", [NewEvent(uuid4(), "Noted", DATA, METADATA) for _ in range(LIFE)])
        for _ in range(streams)
    ]


async def append_all(store: EventStore, todo: list[Life], at_once: int) -> float:
    """Append `todo` event by event, `at_once` appends under way; answer appends per second."""
    count, left = len(todo) * LIFE, iter(todo)

    async def worker(left: Iterator[Life]) -> None:
        for stream, events in left:
            expected: ExpectedState = Expected.NO_STREAM
            for event in events:
                expected = (await store.append(stream, [event], expected)).revision

    started = time.perf_counter()
    await asyncio.gather(*(worker(left) for _ in range(at_once)))
    return count / (time.perf_counter() - started)


class Raw:
    """The store's own tables and settings, written by one who asks nobody and answers nobody.

    An append is a statement, as each of them must be able to fail by itself; `at_once` of them are
    a transaction. Keys, positions and times are ready before the clock runs.
    """

    def __init__(self, path: Path) -> None:
        self._db = open_writer(path, Patience(1.0))
        self._db.pragma("wal_autocheckpoint", CHECKPOINT)
        self._db.execute("INSERT INTO types (id, name) VALUES (1, 'Noted')")
        self._streams = self._position = 0

    def append_all(self, todo: list[Life], at_once: int) -> float:
        """Write what `todo` comes to; answer events per second."""
        groups = list(self._groups(todo, at_once))
        execute = self._db.execute
        started = time.perf_counter()
        for streams, rows in groups:
            execute("BEGIN IMMEDIATE")
            for stream in streams:
                execute("INSERT INTO streams (id, name) VALUES (?, ?)", stream)
            for row in rows:
                execute("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            execute("COMMIT")
        return len(todo) * LIFE / (time.perf_counter() - started)

    def _groups(
        self, todo: list[Life], at_once: int
    ) -> Iterator[tuple[list[tuple[object, ...]], list[tuple[object, ...]]]]:
        now = time.time_ns() // 1000
        for start in range(0, len(todo), at_once):
            part = todo[start : start + at_once]
            streams: list[tuple[object, ...]] = [
                (self._streams + number, name) for number, (name, _) in enumerate(part, 1)
            ]
            for revision in range(LIFE):
                rows: list[tuple[object, ...]] = []
                for (key, _), (_, events) in zip(streams, part, strict=True):
                    self._position += 1
                    id_ = events[revision].id.bytes
                    rows.append((self._position, key, revision, id_, 1, now, DATA, METADATA))
                yield streams if revision == 0 else [], rows
            self._streams += len(part)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


def measure(folder: Path, rounds: int = 7) -> list[Row]:
    """Append by the port and by hand, turn by turn."""
    return [_measured(folder / str(at_once), at_once, rounds) for at_once in AT_ONCE]


def _measured(folder: Path, at_once: int, rounds: int) -> Row:
    folder.mkdir()
    streams = max(250, 4 * at_once) // at_once * at_once  # every group is full

    async def run() -> tuple[float, float]:
        store, raw = await connect(f"sqlite:///{folder / 'ours.db'}"), Raw(folder / "raw.db")
        ours, by_hand = [], []
        for _ in range(rounds):
            ours.append(await append_all(store, lives(streams), at_once))
            by_hand.append(raw.append_all(lives(streams), at_once))
        raw.close()
        await store.close()
        return median(ours), median(by_hand)

    ours, by_hand = asyncio.run(run())
    return Row(
        f"durable appends, {at_once} at once",
        f"{ours:,.0f}/s",
        f"raw apsw, INSERTs of {at_once} in a transaction, same tables, WAL, synchronous=FULL: "
        f"{by_hand:,.0f}/s",
        ours / by_hand,
        GOAL,
    )
