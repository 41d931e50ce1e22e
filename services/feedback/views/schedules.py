"""DigestSchedules: which function's next digest is due when, and where does its window begin?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import apsw
from equiloop.feedback.v1 import market_events_pb2 as events
from google.protobuf.duration_pb2 import Duration

from libs.projection import Fact, Folds, fold_each
from services.feedback.views.inbox import micros


def _span(message: Duration) -> int:
    return int(message.seconds * 1_000_000 + message.nanos // 1000)


def _set(db: apsw.Connection, event: events.DigestScheduleSet, _: Fact) -> None:
    start, every = micros(event.start_time), _span(event.every)
    row = (event.function, start, every, start, _span(event.acknowledge_within))
    db.execute("INSERT OR REPLACE INTO digest_schedule VALUES (?, ?, ?, ?, ?)", row)
    db.execute("DELETE FROM digest_schedule_theme WHERE function = ?", (event.function,))
    themes = [(event.function, theme) for theme in event.only_themes]
    db.executemany("INSERT INTO digest_schedule_theme VALUES (?, ?)", themes)


def _withdrawn(db: apsw.Connection, event: events.DigestScheduleWithdrawn, _: Fact) -> None:
    db.execute("DELETE FROM digest_schedule WHERE function = ?", (event.function,))
    db.execute("DELETE FROM digest_schedule_theme WHERE function = ?", (event.function,))


def _delivered(db: apsw.Connection, event: events.MarketDigestDelivered, _: Fact) -> None:
    if event.scheduled:
        sql = "UPDATE digest_schedule SET heard = max(heard, ?) WHERE function = ?"
        db.execute(sql, (micros(event.end_time), event.function))


class DigestSchedules:
    """Schedules that hold; ``heard`` is the instant up to which the function has heard."""

    name = "digest_schedules"
    version = 1
    tables = ("digest_schedule", "digest_schedule_theme")
    schema = """
        CREATE TABLE IF NOT EXISTS digest_schedule (
            function TEXT PRIMARY KEY,
            start INTEGER NOT NULL,
            every INTEGER NOT NULL,
            heard INTEGER NOT NULL,
            acknowledge_within INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS digest_schedule_theme (
            function TEXT NOT NULL,
            theme TEXT NOT NULL,
            PRIMARY KEY (function, theme)
        ) WITHOUT ROWID
    """
    _folds: ClassVar[Folds] = {
        events.DigestScheduleSet: _set,
        events.DigestScheduleWithdrawn: _withdrawn,
        events.MarketDigestDelivered: _delivered,
    }
    handles = frozenset(_folds)

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Keep the schedules that hold, and how far each has come."""
        fold_each(self._folds, db, facts)


@dataclass(frozen=True, slots=True)
class DueDigest:
    """A digest that is due; times in microseconds."""

    function: str
    start: int
    end: int
    acknowledge_within: int
    only_themes: tuple[str, ...]


def due(db: apsw.Connection, now: int) -> list[DueDigest]:
    """Answer the digests that are due by ``now`` (µs).

    A window ends at the latest multiple of ``every`` since the start; it begins where the one
    before ended, so that digests missed while nobody looked become one.
    """
    sql = """
        SELECT function, heard, start + (:now - start) / every * every, acknowledge_within
        FROM digest_schedule
        WHERE start + (:now - start) / every * every > heard ORDER BY function
    """
    found = list(db.execute(sql, {"now": now}))
    return [
        DueDigest(function, start, end, within, _themes(db, function))
        for function, start, end, within in found
    ]


def _themes(db: apsw.Connection, function: str) -> tuple[str, ...]:
    sql = "SELECT theme FROM digest_schedule_theme WHERE function = ? ORDER BY theme"
    return tuple(theme for (theme,) in db.execute(sql, (function,)))
