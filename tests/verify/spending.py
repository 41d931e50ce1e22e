"""A read model that is killed, too: what customers spent; and the oracle that it must equal.

Its fold adds up, so that an event folded twice or left out shows in the sums for ever.
"""

import asyncio
import socket
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import apsw
from equiloop.customers.v1.events_pb2 import TransactionRecorded

from libs.contract.events import CODEC
from libs.eventstore.port import EventStore
from libs.eventstore.sqlite import open_sqlite
from libs.projection import Fact, Projection
from libs.projection.sqlite import SqliteDatabase
from tests.verify.bookkeeping import Book
from tests.verify.faults import broken
from tests.verify.findings import Finding
from tests.verify.writer import speaker

FOLD = """
INSERT INTO spending VALUES (:customer, 1, :cents, 0, :position)
ON CONFLICT DO UPDATE SET purchases = purchases + 1, cents = cents + :cents,
  backwards = backwards + (:position <= latest), latest = :position
"""


class Spending:
    """How many purchases each customer made, and for how many cents; whether in order."""

    name, version, tables = "spending", 1, ("spending",)
    handles = frozenset({TransactionRecorded})
    schema = """
    CREATE TABLE IF NOT EXISTS spending (
      customer TEXT PRIMARY KEY, purchases INTEGER NOT NULL, cents INTEGER NOT NULL,
      backwards INTEGER NOT NULL, latest INTEGER NOT NULL
    ) STRICT"""

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Add up."""
        rows = []
        for fact in facts:
            event, position = fact.event, fact.recorded.position
            assert isinstance(event, TransactionRecorded)
            cents = event.amount.units * 100 + event.amount.nanos // 10_000_000
            rows.append({"customer": event.customer, "cents": cents, "position": position})
        db.executemany(FOLD, rows)


def main(channel: socket.socket, path: str, views: str, fault: str) -> None:
    """Fold until killed; say each position that is reached."""
    asyncio.run(_follow(channel, Path(path), Path(views), fault))


async def _follow(channel: socket.socket, path: Path, views: Path, fault: str) -> None:
    store, say = broken(await open_sqlite(path), fault), speaker(channel)
    projection = Projection(store, CODEC, SqliteDatabase(views), [Spending()])
    async with asyncio.TaskGroup() as together:
        together.create_task(projection.run())
        position = projection.position
        while True:
            position = await projection.moved(position)
            say(f"folded {position}\n")


async def caught_up(store: EventStore, views: Path) -> "Folded":
    """Fold what is left to fold, and answer what there is then."""
    projection = Projection(store, CODEC, SqliteDatabase(views), [Spending()])
    await projection.catch_up(await store.head())
    await projection.close()
    return read(views)


class Folded(NamedTuple):
    """The rows of the view, and the position up to which the log is folded into them."""

    position: int
    rows: dict[str, tuple[int, int]]
    """Purchases and cents of each customer."""
    backwards: int


def read(views: Path) -> Folded:
    """Answer what the view's file holds now, whoever writes it."""
    files = list(views.glob("views-*.db"))
    if not files:
        return Folded(-1, {}, 0)
    connection = apsw.Connection(str(files[0]), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(5_000)
    try:
        with connection:  # one snapshot
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
            if not {"checkpoint", "spending"} <= names:
                return Folded(-1, {}, 0)
            position = connection.execute("SELECT position FROM checkpoint").get
            found = connection.execute("SELECT customer, purchases, cents, backwards FROM spending")
            rows = list(found)
    finally:
        connection.close()
    spent = {customer: (purchases, cents) for customer, purchases, cents, _ in rows}
    return Folded(-1 if position is None else position, spent, sum(row[3] for row in rows))


def differences(folded: Folded, book: Book) -> Iterable[Finding]:
    """Hold a view against what was acknowledged up to its position.

    A command in doubt, begun and not answered, may be in it or not, but as a whole.
    """
    certain: dict[str, Counter[str]] = defaultdict(Counter)
    doubtful: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for key, (command, _) in book.begun.items():
        customer, answer = f"customers/{command.account}", book.told.get(key)
        worth = len(command.cents), sum(command.cents)
        if answer is None:
            doubtful[customer].append(worth)
        elif answer.position <= folded.position:
            certain[customer].update(purchases=worth[0], cents=worth[1])
    for customer in certain.keys() | doubtful.keys() | folded.rows.keys():
        possible = {(certain[customer]["purchases"], certain[customer]["cents"])}
        for purchases, cents in doubtful[customer]:
            possible |= {(had + purchases, spent + cents) for had, spent in possible}
        found = folded.rows.get(customer, (0, 0))
        if found not in possible:
            yield Finding("misfolded", f"{customer}: {found}, not in {sorted(possible)[:9]}")
    if folded.backwards:
        yield Finding("misfolded", f"{folded.backwards} events before their predecessors")
