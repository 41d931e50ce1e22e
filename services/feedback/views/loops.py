"""OpenLoops: who still waits to be told, about what, and what was promised?

Each item of feedback has a row that says how its loop stands now: open, or closed since when. It is
closed while at least one action holds it so: told, and since then neither protested against nor
reopened (domain.md). What is open in a theme is counted by customer as it changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import apsw
from equiloop.feedback.v1 import events_pb2 as events

from libs.projection import Fact, Folds, fold_each
from services.feedback.views.inbox import micros

_Linking = events.ActionEscalated | events.ActionCommitted | events.ActionLinked


def _linked(db: apsw.Connection, event: _Linking, fact: Fact) -> None:
    """What was escalated, and approved since, keeps its first place."""
    db.executemany(
        "INSERT OR IGNORE INTO link VALUES (?, ?, ?)",
        [(feedback, event.action, fact.recorded.position) for feedback in event.feedback],
    )


def _coded(db: apsw.Connection, event: events.FeedbackCoded, _: Fact) -> None:
    loop = _Loop.of(db, event.feedback)
    loop.count(db, -1)
    themes = " ".join(event.themes)
    db.execute("UPDATE loop SET themes = ? WHERE feedback = ?", (themes, event.feedback))
    _Loop(loop.customer, themes, loop.closed).count(db, +1)


def _attributed(db: apsw.Connection, event: events.FeedbackAttributed, _: Fact) -> None:
    loop = _Loop.of(db, event.feedback)
    loop.count(db, -1)
    sql = "UPDATE loop SET customer = ? WHERE feedback = ?"
    db.execute(sql, (event.customer, event.feedback))
    _Loop(event.customer, loop.themes, loop.closed).count(db, +1)


def _closed(db: apsw.Connection, event: events.LoopClosed, _: Fact) -> None:
    told = (event.feedback, event.action, micros(event.told_time))
    db.execute("INSERT OR REPLACE INTO told VALUES (?, ?, ?)", told)
    _settle(db, event.feedback)


def _protested(db: apsw.Connection, event: events.LoopProtested, _: Fact) -> None:
    _open(db, event.action, event.feedback)


def _reopened(db: apsw.Connection, event: events.ActionReopened, _: Fact) -> None:
    for feedback in event.feedback:
        _open(db, event.action, feedback)


def _open(db: apsw.Connection, action: str, feedback: str) -> None:
    db.execute("DELETE FROM told WHERE feedback = ? AND action = ?", (feedback, action))
    _settle(db, feedback)


def _settle(db: apsw.Connection, feedback: str) -> None:
    """Say of a loop whether it is closed now, and since when: the earliest telling that holds."""
    before = _Loop.of(db, feedback)
    closed = db.execute("SELECT min(told) FROM told WHERE feedback = ?", (feedback,)).get
    if closed == before.closed:
        return
    before.count(db, -1)
    db.execute("UPDATE loop SET closed = ? WHERE feedback = ?", (closed, feedback))
    _Loop(before.customer, before.themes, closed).count(db, +1)


@dataclass(frozen=True, slots=True)
class _Loop:
    """A loop as its row has it: the themes are divided by spaces, ``closed`` is None while open."""

    customer: str
    themes: str
    closed: int | None

    @classmethod
    def of(cls, db: apsw.Connection, feedback: str) -> "_Loop":
        sql = "SELECT customer, themes, closed FROM loop WHERE feedback = ?"
        row: Any = db.execute(sql, (feedback,)).fetchall()[0]
        return cls(*row)

    def count(self, db: apsw.Connection, change: int) -> None:
        """Count it in, or out, where it is open."""
        if self.closed is not None or not self.themes:
            return
        rows = [(theme, self.customer, change) for theme in self.themes.split(" ")]
        db.executemany(_COUNT, rows)
        if change < 0:
            db.execute("DELETE FROM stake WHERE items = 0")


_COUNT = """
    INSERT INTO stake VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET items = items + excluded.items
"""


class OpenLoops:
    """How the loop of each item stands, what it is linked to, and what is at stake by theme."""

    name = "open_loops"
    version = 1
    tables = ("link", "told", "loop", "stake")
    schema = """
        CREATE TABLE IF NOT EXISTS link (
            feedback TEXT NOT NULL,
            action TEXT NOT NULL,
            position INTEGER NOT NULL,
            PRIMARY KEY (feedback, action)
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS link_by_action ON link (action, feedback);
        CREATE TABLE IF NOT EXISTS told (
            feedback TEXT NOT NULL,
            action TEXT NOT NULL,
            told INTEGER NOT NULL,
            PRIMARY KEY (feedback, action)
        ) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS loop (
            feedback TEXT PRIMARY KEY,
            receive_time INTEGER NOT NULL,
            position INTEGER NOT NULL,
            customer TEXT NOT NULL,
            themes TEXT NOT NULL,
            closed INTEGER
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS loop_open ON loop (receive_time, position) WHERE closed IS NULL;
        CREATE TABLE IF NOT EXISTS stake (
            theme TEXT NOT NULL,
            customer TEXT NOT NULL,
            items INTEGER NOT NULL,
            PRIMARY KEY (theme, customer)
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS stake_gone ON stake (items) WHERE items = 0
    """
    _folds: ClassVar[Folds] = {
        events.FeedbackCoded: _coded,
        events.FeedbackAttributed: _attributed,
        events.ActionEscalated: _linked,
        events.ActionCommitted: _linked,
        events.ActionLinked: _linked,
        events.ActionReopened: _reopened,
        events.LoopClosed: _closed,
        events.LoopProtested: _protested,
    }
    handles = frozenset(_folds) | {events.FeedbackReceived}

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Keep links and loops. What was received may come first: nothing else precedes it."""
        received = [_row(fact) for fact in facts if isinstance(fact.event, events.FeedbackReceived)]
        db.executemany("INSERT INTO loop VALUES (?, ?, ?, ?, '', NULL)", received)
        if len(received) < len(facts):
            rest = [fact for fact in facts if not isinstance(fact.event, events.FeedbackReceived)]
            fold_each(self._folds, db, rest)


def _row(fact: Fact) -> tuple[str, int, int, str]:
    event = fact.event
    assert isinstance(event, events.FeedbackReceived)
    return event.feedback, micros(event.receive_time), fact.recorded.position, event.customer


@dataclass(frozen=True, slots=True)
class Open:
    """Feedback whose customer waits; ``receive_time`` in µs."""

    receive_time: int
    position: int
    feedback: str
    customer: str
    themes: tuple[str, ...]


def open_loops(
    db: apsw.Connection, *, after: tuple[int, int], limit: int, theme: str
) -> list[Open]:
    """Answer open loops, oldest first, after (receive_time, position)."""
    sql = """
        SELECT receive_time, position, feedback, customer, themes FROM loop
        WHERE closed IS NULL AND (receive_time, position) > (:time, :position)
        AND (:theme = '' OR feedback IN (SELECT feedback FROM theme WHERE theme = :theme))
        ORDER BY receive_time, position LIMIT :limit
    """
    values = {"time": after[0], "position": after[1], "limit": limit, "theme": theme}
    return [
        Open(time, position, name, customer, tuple(themes.split()))
        for time, position, name, customer, themes in db.execute(sql, values)
    ]


def count_open(db: apsw.Connection, theme: str) -> int:
    """Answer how many loops are open, in one theme or at all."""
    if theme:
        sql = "SELECT ifnull(sum(items), 0) FROM stake WHERE theme = ?"
        return int(db.execute(sql, (theme,)).get)
    return int(db.execute("SELECT count(*) FROM loop WHERE closed IS NULL").get)


def actions_of(db: apsw.Connection, feedback: str) -> list[str]:
    """Answer the actions linked to one item, in the order in which they were."""
    sql = "SELECT action FROM link WHERE feedback = ? ORDER BY position, action"
    return [action for (action,) in db.execute(sql, (feedback,))]


def stakes(db: apsw.Connection) -> list[tuple[str, str, int]]:
    """Answer (theme, customer, open items) of open feedback; an unknown customer is empty."""
    return list(db.execute("SELECT theme, customer, items FROM stake ORDER BY theme, customer"))
