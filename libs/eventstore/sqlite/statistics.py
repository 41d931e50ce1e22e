"""Measuring a log: how much of what it holds."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import nlargest
from itertools import count, groupby
from operator import itemgetter
from pathlib import Path

import apsw

from libs.eventstore.sqlite.advice import explained
from libs.eventstore.sqlite.instants import instant
from libs.eventstore.sqlite.ledger import State
from libs.eventstore.upkeep import Progress, Statistics, Tally

PARTS = """
SELECT coalesce(s.name, 'number ' || l.stream), coalesce(t.name, 'number ' || l.type),
  count(*), sum(length(l.data) + length(l.metadata))
FROM log l NOT INDEXED
LEFT JOIN streams s ON s.id = l.stream LEFT JOIN types t ON t.id = l.type
GROUP BY l.stream, l.type
"""
STEPS = 1_000_000
"""Steps of SQLite's machine between two calls of the progress: some tens of milliseconds."""


def measure(
    connection: apsw.Connection, path: Path, largest: int, progress: Progress
) -> Statistics:
    """Measure a log as it is in the transaction that ``connection`` has begun."""
    done = 0

    def tick() -> bool:
        nonlocal done
        done += 1
        progress("counting", done, 0)
        return False

    connection.set_progress_handler(tick, STEPS)
    try:
        return _measure(connection, path, largest)
    except apsw.Error as error:
        raise explained(error, path) from error
    finally:
        connection.set_progress_handler(None)


def _measure(connection: apsw.Connection, path: Path, largest: int) -> Statistics:
    types, categories, streams = Sums(), Sums(), count()
    parts = connection.execute(PARTS)
    tallies = (
        tally for tally, _ in zip(_by_stream(parts, types, categories), streams, strict=False)
    )
    most = nlargest(largest, tallies, key=_size)
    states = dict(connection.execute("SELECT state, count(*) FROM streams GROUP BY state"))
    kinds = types.tallies()
    write_ahead = Path(f"{path}-wal")
    return Statistics(
        position=connection.execute("SELECT max(position) FROM log").get or 0,
        events=sum(tally.events for tally in kinds),
        streams=next(streams),
        deleted=states.get(State.DELETED, 0),
        tombstoned=states.get(State.TOMBSTONED, 0),
        payload=sum(tally.bytes for tally in kinds),
        file=path.stat().st_size,
        write_ahead=write_ahead.stat().st_size if write_ahead.exists() else 0,
        first_recorded=_recorded(connection, "ASC"),
        last_recorded=_recorded(connection, "DESC"),
        types=kinds,
        categories=categories.tallies(),
        largest=most,
    )


class Sums(dict[str, tuple[int, int]]):
    """Events and bytes by name."""

    def add(self, name: str, events: int, size: int) -> None:
        """Add to one of them."""
        before = self.get(name, (0, 0))
        self[name] = (before[0] + events, before[1] + size)

    def tallies(self) -> list[Tally]:
        """All of them, the largest first."""
        return sorted((Tally(name, *sums) for name, sums in self.items()), key=_size, reverse=True)


def _by_stream(
    parts: Iterable[tuple[str, str, int, int]], types: Sums, categories: Sums
) -> Iterator[Tally]:
    """The streams, one after the other, so that memory does not grow with them."""
    for stream, group in groupby(parts, key=itemgetter(0)):
        events = size = 0
        for _, kind, some, length in group:
            types.add(kind, some, length)
            events, size = events + some, size + length
        categories.add(stream.partition("-")[0], events, size)
        yield Tally(stream, events, size)


def _size(tally: Tally) -> tuple[int, int]:
    return tally.events, tally.bytes


def _recorded(connection: apsw.Connection, order: str) -> datetime | None:
    row = connection.execute(f"SELECT recorded_at FROM log ORDER BY position {order}").fetchone()
    return instant(row[0]) if row else None
