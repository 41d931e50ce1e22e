"""MarketVoice: which digests were delivered to whom, and read in time, late, or not?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import apsw
from equiloop.feedback.v1 import market_events_pb2 as events
from equiloop.feedback.v1 import market_service_pb2 as api

from libs.kernel.values import timestamp
from libs.projection import Fact, Folds, fold_each
from services.feedback.domain.digest import MOST_LEVELS, deadline
from services.feedback.views.inbox import micros

ALWAYS = (1 << 63) - 1
"""An instant after all others, in microseconds."""


def _delivered(db: apsw.Connection, event: events.MarketDigestDelivered, fact: Fact) -> None:
    by = micros(event.acknowledge_by)
    step = micros(timestamp(deadline(event, 2))) - by
    db.execute(
        "INSERT INTO digest VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, 0, ?)",
        (
            event.digest,
            fact.recorded.position,
            event.function,
            micros(event.event_time),
            by,
            step,
            by,
        ),
    )
    db.executemany(
        "INSERT INTO digest_theme VALUES (?, ?)",
        [(event.digest, each.theme) for each in event.themes],
    )


def _acknowledged(db: apsw.Connection, event: events.DigestAcknowledged, _: Fact) -> None:
    sql = "UPDATE digest SET acknowledged = ?, next_due = NULL WHERE name = ?"
    db.execute(sql, (micros(event.event_time), event.digest))


def _escalated(db: apsw.Connection, event: events.DigestEscalated, _: Fact) -> None:
    sql = """
        UPDATE digest SET level = :level, escalated = ifnull(escalated, :at),
            next_due = CASE WHEN :ends THEN NULL ELSE acknowledge_by + :level * step END
        WHERE name = :name
    """
    values = {
        "level": event.level,
        "at": micros(event.event_time),
        "ends": not event.to or event.level >= MOST_LEVELS,
        "name": event.digest,
    }
    db.execute(sql, values)


class MarketVoice:
    """Digests in the order in which they were delivered, and what became of them.

    ``next_due`` is when the next step upwards is; NULL once a digest was read, or nobody is left.
    """

    name = "market_voice"
    version = 1
    tables = ("digest", "digest_theme")
    schema = """
        CREATE TABLE IF NOT EXISTS digest (
            name TEXT PRIMARY KEY,
            position INTEGER NOT NULL UNIQUE,
            function TEXT NOT NULL,
            delivered INTEGER NOT NULL,
            acknowledge_by INTEGER NOT NULL,
            step INTEGER NOT NULL,
            acknowledged INTEGER,
            escalated INTEGER,
            level INTEGER NOT NULL,
            next_due INTEGER
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS digest_by_function ON digest (function, position);
        CREATE INDEX IF NOT EXISTS digest_by_time ON digest (delivered);
        CREATE INDEX IF NOT EXISTS digest_due ON digest (next_due) WHERE next_due IS NOT NULL;
        CREATE TABLE IF NOT EXISTS digest_theme (
            digest TEXT NOT NULL,
            theme TEXT NOT NULL,
            PRIMARY KEY (digest, theme)
        ) WITHOUT ROWID
    """
    _folds: ClassVar[Folds] = {
        events.MarketDigestDelivered: _delivered,
        events.DigestAcknowledged: _acknowledged,
        events.DigestEscalated: _escalated,
    }
    handles = frozenset(_folds)

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Keep every digest, and when it was read or taken upwards."""
        fold_each(self._folds, db, facts)


_STATES = {
    api.DIGEST_STATE_UNSPECIFIED: "",
    api.DIGEST_STATE_DELIVERED: " AND acknowledged IS NULL AND escalated IS NULL",
    api.DIGEST_STATE_ESCALATED: " AND acknowledged IS NULL AND escalated IS NOT NULL",
    api.DIGEST_STATE_ACKNOWLEDGED: " AND acknowledged IS NOT NULL",
}


def list_digests(
    db: apsw.Connection,
    *,
    after: int,
    limit: int,
    function: str,
    state: api.DigestState.ValueType,
) -> list[tuple[int, str]]:
    """Answer (position, name) of digests delivered after position ``after``."""
    sql = "SELECT position, name FROM digest WHERE position > :after" + _STATES[state]
    if function:
        sql += " AND function = :function"
    sql += " ORDER BY position LIMIT :limit"
    return list(db.execute(sql, {"after": after, "limit": limit, "function": function}))


@dataclass(frozen=True, slots=True)
class Unread:
    """A digest that nobody has read, and the step upwards that is due."""

    digest: str
    function: str
    level: int


def unread(db: apsw.Connection, now: int) -> list[Unread]:
    """Answer digests whose next step upwards is due by ``now`` (µs), the oldest due first."""
    sql = """
        SELECT name, function, level + 1 FROM digest WHERE next_due <= ? ORDER BY next_due, position
    """
    return [Unread(*row) for row in db.execute(sql, (now,))]


@dataclass(frozen=True, slots=True)
class Voice:
    """Digests of one function by what became of them."""

    function: str
    delivered: int
    acknowledged: int
    in_time: int
    escalated: int
    overdue: int


def voices(
    db: apsw.Connection, *, start: int, end: int, as_of: int, now: int, limit: int
) -> list[Voice]:
    """Answer function by function what became, by ``as_of``, of digests delivered in a window."""
    sql = """
        SELECT function, count(*),
            count(CASE WHEN acknowledged <= :as_of THEN 1 END),
            count(CASE WHEN acknowledged <= min(:as_of, acknowledge_by) THEN 1 END),
            count(CASE WHEN escalated <= :as_of THEN 1 END),
            count(CASE WHEN (acknowledged IS NULL OR acknowledged > :as_of)
                AND acknowledge_by < min(:as_of, :now) THEN 1 END)
        FROM digest WHERE delivered >= :start AND delivered < :end AND delivered <= :as_of
        GROUP BY function ORDER BY function LIMIT :limit
    """
    values: dict[str, Any] = {
        "start": start,
        "end": end,
        "as_of": as_of,
        "now": now,
        "limit": limit,
    }
    return [Voice(*row) for row in db.execute(sql, values)]


def heard(
    db: apsw.Connection, function: str, *, start: int, end: int, as_of: int, limit: int
) -> list[tuple[str, int]]:
    """Answer (theme, digests) of what digests of a window brought before a function."""
    sql = """
        SELECT t.theme, count(*) AS n FROM digest d JOIN digest_theme t ON t.digest = d.name
        WHERE d.function = :function
            AND d.delivered >= :start AND d.delivered < :end AND d.delivered <= :as_of
        GROUP BY t.theme ORDER BY n DESC, t.theme LIMIT :limit
    """
    values = {"function": function, "start": start, "end": end, "as_of": as_of, "limit": limit}
    return list(db.execute(sql, values))
