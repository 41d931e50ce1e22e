"""FeedbackToAction: which feedback turned into action, and who still waits to be told?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import apsw
from equiloop.feedback.v1 import events_pb2 as events

from libs.projection import Fact, Folds, fold_each
from services.feedback.views.inbox import micros
from services.feedback.views.survival import median_time

ALWAYS = (1 << 63) - 1
"""An instant after all others, in microseconds."""


def _committed(db: apsw.Connection, event: events.ActionCommitted, fact: Fact) -> None:
    at = micros(event.event_time)
    db.execute("INSERT INTO action VALUES (?, ?, ?, NULL, NULL)", (event.action, event.kind, at))
    db.executemany(
        "INSERT INTO link VALUES (?, ?, ?)",
        [(feedback, event.action, fact.recorded.position) for feedback in event.feedback],
    )


def _completed(db: apsw.Connection, event: events.ActionCompleted, _: Fact) -> None:
    at = micros(event.event_time)
    db.execute("UPDATE action SET completed = ? WHERE name = ?", (at, event.action))


def _declined(db: apsw.Connection, event: events.ActionDeclined, _: Fact) -> None:
    at = micros(event.event_time)
    db.execute("UPDATE action SET declined = ? WHERE name = ?", (at, event.action))


def _closed(db: apsw.Connection, event: events.LoopClosed, _: Fact) -> None:
    db.execute(
        "INSERT INTO told VALUES (?, ?, ?)",
        (event.feedback, event.action, micros(event.told_time)),
    )


class FeedbackToAction:
    """Links between feedback and actions, what became of the actions, and who was told when."""

    name = "feedback_to_action"
    version = 1
    tables = ("action", "link", "told")
    schema = """
        CREATE TABLE IF NOT EXISTS action (
            name TEXT PRIMARY KEY,
            kind INTEGER NOT NULL,
            committed INTEGER NOT NULL,
            completed INTEGER,
            declined INTEGER
        ) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS link (
            feedback TEXT NOT NULL,
            action TEXT NOT NULL,
            position INTEGER NOT NULL,
            PRIMARY KEY (feedback, action)
        ) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS told (
            feedback TEXT NOT NULL,
            action TEXT NOT NULL,
            told INTEGER NOT NULL,
            PRIMARY KEY (feedback, action)
        ) WITHOUT ROWID
    """
    _folds: ClassVar[Folds] = {
        events.ActionCommitted: _committed,
        events.ActionCompleted: _completed,
        events.ActionDeclined: _declined,
        events.LoopClosed: _closed,
    }
    handles = frozenset(_folds)

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Keep links, ends of actions, and loops closed."""
        fold_each(self._folds, db, facts)


@dataclass(frozen=True, slots=True)
class Window:
    """Which feedback is asked about, in microseconds: received in [start, end), seen as of."""

    start: int = 0
    end: int = ALWAYS
    as_of: int = ALWAYS
    theme: str = ""
    channel: int = 0

    def condition(self) -> str:
        """Answer the WHERE clause that its values are for."""
        sql = "f.receive_time >= :start AND f.receive_time < :end AND f.receive_time <= :as_of"
        if self.theme:
            sql += " AND f.name IN (SELECT feedback FROM theme WHERE theme = :theme)"
        if self.channel:
            sql += " AND f.channel = :channel"
        return sql

    def values(self) -> dict[str, int | str]:
        """Answer the values of the condition's parameters."""
        return {
            "start": self.start,
            "end": self.end,
            "as_of": self.as_of,
            "theme": self.theme,
            "channel": self.channel,
        }


@dataclass(frozen=True, slots=True)
class Funnel:
    """Distinct feedback items by how far they came, and the median time to close in µs."""

    received: int
    linked: int
    committed: int
    completed: int
    declined: int
    told: int
    links: int
    median: int | None


# One row per feedback item: how many of its actions stood where as of the instant asked for,
# and when its customer was first told (NULL: not by then).
_ITEMS = """
    SELECT f.name, f.receive_time,
        count(a.name) AS links,
        count(a.name) - count(CASE WHEN a.declined <= :as_of THEN 1 END) AS standing,
        count(CASE WHEN a.completed <= :as_of THEN 1 END) AS completed,
        count(CASE WHEN a.declined <= :as_of THEN 1 END) AS declined,
        (SELECT min(told) FROM told t WHERE t.feedback = f.name AND t.told <= :as_of) AS told
    FROM feedback f
    LEFT JOIN link l ON l.feedback = f.name
    LEFT JOIN action a ON a.name = l.action AND a.committed <= :as_of
    WHERE {condition}
    GROUP BY f.name, f.receive_time
"""


def funnel(db: apsw.Connection, window: Window, now: int) -> Funnel:
    """Answer how far the feedback of ``window`` came; ``now`` (µs) ends the wait of the open."""
    items = _ITEMS.format(condition=window.condition())
    counts = db.execute(
        f"""SELECT count(*), count(nullif(links, 0)), count(nullif(standing, 0)),
            count(nullif(completed, 0)),
            count(CASE WHEN declined > 0 AND completed = 0 THEN 1 END),
            count(told), ifnull(sum(links), 0)
            FROM ({items})""",
        window.values(),
    ).get
    received, linked, committed, completed, declined, told, links = counts
    durations = db.execute(
        f"""SELECT max(ifnull(told, min(:as_of, :now)) - receive_time, 0) AS duration,
            count(told), count(*) - count(told)
            FROM ({items}) GROUP BY duration ORDER BY duration""",
        {**window.values(), "now": now},
    )
    median = median_time(durations, received)
    return Funnel(received, linked, committed, completed, declined, told, links, median)


@dataclass(frozen=True, slots=True)
class Open:
    """Feedback whose customer waits."""

    receive_time: int
    position: int
    feedback: str
    customer: str


def open_loops(
    db: apsw.Connection, *, after: tuple[int, int], limit: int, theme: str
) -> list[Open]:
    """Answer open loops, oldest first, after (receive_time, position)."""
    sql = _OPEN.format(columns="f.receive_time, f.position, f.name, f.customer")
    sql += " AND (f.receive_time, f.position) > (:time, :position)"
    sql += " ORDER BY f.receive_time, f.position LIMIT :limit"
    values = {"time": after[0], "position": after[1], "limit": limit, "theme": theme}
    return [Open(*row) for row in db.execute(sql, values)]


_OPEN = """
    SELECT {columns} FROM feedback f
    WHERE NOT EXISTS (SELECT 1 FROM told t WHERE t.feedback = f.name)
    AND (:theme = '' OR f.name IN (SELECT feedback FROM theme WHERE theme = :theme))
"""


def count_open(db: apsw.Connection, theme: str) -> int:
    """Answer how many loops are open."""
    return int(db.execute(_OPEN.format(columns="count(*)"), {"theme": theme}).get)


def themes_of(db: apsw.Connection, feedback: str) -> list[str]:
    """Answer the themes of one item by its latest coding, sorted."""
    sql = "SELECT theme FROM theme WHERE feedback = ? ORDER BY theme"
    return [theme for (theme,) in db.execute(sql, (feedback,))]


def actions_of(db: apsw.Connection, feedback: str) -> list[str]:
    """Answer the actions linked to one item, in the order in which they were committed."""
    sql = "SELECT action FROM link WHERE feedback = ? ORDER BY position"
    return [action for (action,) in db.execute(sql, (feedback,))]


def stakes(db: apsw.Connection) -> list[tuple[str, str, int]]:
    """Answer (theme, customer, open items) of open feedback; an unknown customer is empty."""
    sql = """
        SELECT t.theme, f.customer, count(*) FROM theme t JOIN feedback f ON f.name = t.feedback
        WHERE NOT EXISTS (SELECT 1 FROM told WHERE told.feedback = f.name)
        GROUP BY t.theme, f.customer ORDER BY t.theme, f.customer
    """
    return list(db.execute(sql))
