"""FeedbackToAction: which feedback turned into action, and who still waits to be told?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import apsw
from equiloop.feedback.v1 import events_pb2 as events

from libs.projection import Fact, Folds, fold_each
from services.feedback.views.inbox import micros


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
    by_stream = True
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


IS_OPEN = "NOT EXISTS (SELECT 1 FROM told WHERE told.feedback = f.name)"
"""Says of feedback f, in SQL, that its loop is open."""

_OPEN = f"""
    SELECT {{columns}} FROM feedback f
    WHERE {IS_OPEN}
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
    sql = f"""
        SELECT t.theme, f.customer, count(*) FROM theme t JOIN feedback f ON f.name = t.feedback
        WHERE {IS_OPEN}
        GROUP BY t.theme, f.customer ORDER BY t.theme, f.customer
    """
    return list(db.execute(sql))
