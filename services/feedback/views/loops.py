"""OpenLoops: who still waits to be told, about what, and what was promised?

Each item of feedback has a row that says how its loop stands now: open, or closed since when. It is
closed while at least one action holds it so: told, and since then neither protested against nor
reopened (domain.md). What is open in a theme is counted by customer as it changes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import apsw
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import routing_events_pb2 as routing

from libs.projection import Fact, Folds, fold_each
from services.feedback.views.inbox import micros

UNANSWERED, CONFIRMED, PROTESTED = range(3)
"""What the customer said to what was told last."""

_Linking = events.ActionEscalated | events.ActionCommitted | events.ActionLinked


def _linked(db: apsw.Connection, event: _Linking, fact: Fact) -> None:
    """What was escalated, and approved since, keeps its first place."""
    position = fact.recorded.position
    db.executemany(
        "INSERT OR IGNORE INTO link VALUES (?, ?, ?)",
        [(feedback, event.action, position) for feedback in event.feedback],
    )
    db.executemany(_TOUCH, [(position, feedback) for feedback in event.feedback])


def _routed(
    db: apsw.Connection, event: routing.FeedbackRouted | routing.RouteReturned, fact: Fact
) -> None:
    """Who holds it is kept elsewhere; whoever watches hears of it."""
    db.execute(_TOUCH, (fact.recorded.position, event.feedback))


def _coded(db: apsw.Connection, event: events.FeedbackCoded, fact: Fact) -> None:
    loop = _Loop.of(db, event.feedback)
    loop.count(db, -1)
    themes = " ".join(event.themes)
    sql = "UPDATE loop SET themes = ?, changed = ? WHERE feedback = ?"
    db.execute(sql, (themes, fact.recorded.position, event.feedback))
    _Loop(loop.customer, themes, loop.closed).count(db, +1)


def _attributed(db: apsw.Connection, event: events.FeedbackAttributed, fact: Fact) -> None:
    loop = _Loop.of(db, event.feedback)
    loop.count(db, -1)
    sql = "UPDATE loop SET customer = ?, changed = ? WHERE feedback = ?"
    db.execute(sql, (event.customer, fact.recorded.position, event.feedback))
    _Loop(event.customer, loop.themes, loop.closed).count(db, +1)


def _closed(db: apsw.Connection, event: events.LoopClosed, fact: Fact) -> None:
    told = (event.feedback, event.action, micros(event.told_time))
    db.execute("INSERT OR REPLACE INTO told VALUES (?, ?, ?)", told)
    _answered(db, event.feedback, UNANSWERED, fact)
    _settle(db, event.feedback, None, fact)


def _confirmed(db: apsw.Connection, event: events.LoopConfirmed, fact: Fact) -> None:
    _answered(db, event.feedback, CONFIRMED, fact)


def _answered(db: apsw.Connection, feedback: str, answer: int, fact: Fact) -> None:
    sql = "UPDATE loop SET answer = ?, changed = ? WHERE feedback = ?"
    db.execute(sql, (answer, fact.recorded.position, feedback))


def _protested(db: apsw.Connection, event: events.LoopProtested, fact: Fact) -> None:
    since = event.respond_time if event.HasField("respond_time") else event.event_time
    _open(db, event.action, event.feedback, micros(since), fact)
    _answered(db, event.feedback, PROTESTED, fact)


def _reopened(db: apsw.Connection, event: events.ActionReopened, fact: Fact) -> None:
    for feedback in event.feedback:
        _open(db, event.action, feedback, micros(event.event_time), fact)


def _open(db: apsw.Connection, action: str, feedback: str, since: int, fact: Fact) -> None:
    db.execute("DELETE FROM told WHERE feedback = ? AND action = ?", (feedback, action))
    _settle(db, feedback, since, fact)


def _settle(db: apsw.Connection, feedback: str, reopened: int | None, fact: Fact) -> None:
    """Say of a loop whether it is closed now, and since when: the earliest telling that holds.

    Where none does, it is open again, since ``reopened``.
    """
    before = _Loop.of(db, feedback)
    closed = db.execute("SELECT min(told) FROM told WHERE feedback = ?", (feedback,)).get
    if closed == before.closed:
        return
    before.count(db, -1)
    sql = "UPDATE loop SET closed = ?, reopened = ?, changed = ? WHERE feedback = ?"
    again = reopened if closed is None else None
    db.execute(sql, (closed, again, fact.recorded.position, feedback))
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


_TOUCH = "UPDATE loop SET changed = ? WHERE feedback = ?"

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
            channel INTEGER NOT NULL,
            themes TEXT NOT NULL,
            closed INTEGER,
            reopened INTEGER,
            answer INTEGER NOT NULL,
            changed INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS loop_open ON loop (receive_time, position) WHERE closed IS NULL;
        CREATE INDEX IF NOT EXISTS loop_changed ON loop (changed);
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
        events.LoopConfirmed: _confirmed,
        events.LoopProtested: _protested,
        routing.FeedbackRouted: _routed,
        routing.RouteReturned: _routed,
    }
    handles = frozenset(_folds) | {events.FeedbackReceived}

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Keep links and loops. What was received may come first: nothing else precedes it."""
        received = [_row(fact) for fact in facts if isinstance(fact.event, events.FeedbackReceived)]
        db.executemany(_RECEIVED, received)
        if len(received) < len(facts):
            rest = [fact for fact in facts if not isinstance(fact.event, events.FeedbackReceived)]
            fold_each(self._folds, db, rest)


_RECEIVED = "INSERT INTO loop VALUES (?, ?, ?, ?, ?, '', NULL, NULL, 0, ?)"


def _row(fact: Fact) -> tuple[str, int, int, str, int, int]:
    event, position = fact.event, fact.recorded.position
    assert isinstance(event, events.FeedbackReceived)
    received = micros(event.receive_time)
    return event.feedback, received, position, event.customer, event.channel, position


def actions_of(db: apsw.Connection, feedback: str) -> list[str]:
    """Answer the actions linked to one item, in the order in which they were."""
    sql = "SELECT action FROM link WHERE feedback = ? ORDER BY position, action"
    return [action for (action,) in db.execute(sql, (feedback,))]


def feedback_of(db: apsw.Connection, action: str) -> list[str]:
    """Answer the feedback that an action answers, sorted."""
    sql = "SELECT feedback FROM link WHERE action = ? ORDER BY feedback"
    return [feedback for (feedback,) in db.execute(sql, (action,))]


@dataclass(frozen=True, slots=True)
class Traced:
    """How the loop of one item stands; times in µs, ``closed`` None while it is open."""

    feedback: str
    customer: str
    receive_time: int
    position: int
    closed: int | None
    answer: int


def traced(db: apsw.Connection, names: Iterable[str]) -> list[Traced]:
    """Answer how the loops of these items stand, in the order in which they were recorded."""
    sql = """
        SELECT feedback, customer, receive_time, position, closed, answer FROM loop
        WHERE feedback = ?
    """
    found = [Traced(*row) for name in names for row in db.execute(sql, (name,))]
    return sorted(found, key=lambda loop: loop.position)


def stakes(db: apsw.Connection) -> list[tuple[str, str, int]]:
    """Answer (theme, customer, open items) of open feedback; an unknown customer is empty."""
    return list(db.execute("SELECT theme, customer, items FROM stake ORDER BY theme, customer"))
