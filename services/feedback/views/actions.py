"""Actions: what did we promise, who owns it, how does it stand, and is it overdue?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

import apsw
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api
from google.type.date_pb2 import Date

from libs.projection import Fact, Folds, fold_each
from services.feedback.views.inbox import micros

NO_DAY = 99_999_999
"""The due day of what is not due at all; days are kept as YYYYMMDD."""

_Promise = events.ActionEscalated | events.ActionCommitted


def _day(year: int, month: int, day: int) -> int:
    return year * 10_000 + month * 100 + day


def _due(due: Date) -> int:
    return _day(due.year, due.month, due.day) or NO_DAY


def _promised(db: apsw.Connection, event: _Promise, fact: Fact, state: int) -> None:
    """What was escalated first keeps its place when it is committed."""
    row = (
        event.action,
        fact.recorded.position,
        micros(event.event_time),
        event.kind,
        event.owner,
        _due(event.due_date),
        state,
    )
    db.execute("INSERT INTO action VALUES (?, ?, ?, ?, ?, ?, ?) " + _SET_STATE, row)


_SET_STATE = "ON CONFLICT (name) DO UPDATE SET state = excluded.state"


def _escalated(db: apsw.Connection, event: events.ActionEscalated, fact: Fact) -> None:
    _promised(db, event, fact, api.ACTION_STATE_ESCALATED)


def _committed(db: apsw.Connection, event: events.ActionCommitted, fact: Fact) -> None:
    _promised(db, event, fact, api.ACTION_STATE_COMMITTED)


def _completed(db: apsw.Connection, event: events.ActionCompleted, _: Fact) -> None:
    _stands(db, event.action, api.ACTION_STATE_COMPLETED)


def _declined(db: apsw.Connection, event: events.ActionDeclined, _: Fact) -> None:
    _stands(db, event.action, api.ACTION_STATE_DECLINED)


def _reopened(db: apsw.Connection, event: events.ActionReopened, _: Fact) -> None:
    waits = event.awaits_approval
    state = api.ACTION_STATE_ESCALATED if waits else api.ACTION_STATE_COMMITTED
    _stands(db, event.action, state)


def _stands(db: apsw.Connection, action: str, state: int) -> None:
    db.execute("UPDATE action SET state = ? WHERE name = ?", (state, action))


class Actions:
    """Every action: since when, of which kind, whose, due when, and how it stands."""

    name = "actions"
    version = 1
    by_stream = True
    tables = ("action",)
    schema = """
        CREATE TABLE IF NOT EXISTS action (
            name TEXT PRIMARY KEY,
            position INTEGER NOT NULL UNIQUE,
            recorded INTEGER NOT NULL,
            kind INTEGER NOT NULL,
            owner TEXT NOT NULL,
            due INTEGER NOT NULL,
            state INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS action_by_state ON action (state, position);
        CREATE INDEX IF NOT EXISTS action_by_kind ON action (kind, position);
        CREATE INDEX IF NOT EXISTS action_by_owner ON action (owner, position)
    """
    _folds: ClassVar[Folds] = {
        events.ActionEscalated: _escalated,
        events.ActionCommitted: _committed,
        events.ActionCompleted: _completed,
        events.ActionDeclined: _declined,
        events.ActionReopened: _reopened,
    }
    handles = frozenset(_folds)

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Keep each action as it stands."""
        fold_each(self._folds, db, facts)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which actions are asked for; what is 0, empty or None lets all through."""

    states: tuple[int, ...] = ()
    kind: int = 0
    owner: str = ""
    due_before: date | None = None

    def condition(self) -> str:
        """Answer the condition, in SQL, on actions `a`."""
        parts = ["1"]
        if self.states:
            parts.append(f"a.state IN ({', '.join(map(str, self.states))})")
        if self.kind:
            parts.append("a.kind = :kind")
        if self.owner:
            parts.append("a.owner = :owner")
        if self.due_before:
            parts.append("a.due < :due")
        return " AND ".join(parts)

    def values(self) -> dict[str, int | str]:
        """Answer the values that its condition names."""
        due = self.due_before
        day = NO_DAY if due is None else _day(due.year, due.month, due.day)
        return {"kind": self.kind, "owner": self.owner, "due": day}


def list_names(
    db: apsw.Connection, chosen: Chosen, *, after: int, limit: int
) -> list[tuple[int, str]]:
    """Answer (position, name) of actions first recorded after position ``after``."""
    sql = f"""
        SELECT a.position, a.name FROM action a WHERE {chosen.condition()}
        AND a.position > :after ORDER BY a.position LIMIT :limit
    """
    return list(db.execute(sql, {**chosen.values(), "after": after, "limit": limit}))


def recorded(db: apsw.Connection, chosen: Chosen) -> dict[str, tuple[int, int]]:
    """Answer position and time (µs) at which each action was first recorded, oldest first."""
    sql = f"""
        SELECT a.name, a.position, a.recorded FROM action a
        WHERE {chosen.condition()} ORDER BY a.position
    """
    return {name: (position, time) for name, position, time in db.execute(sql, chosen.values())}


def stakes(db: apsw.Connection, chosen: Chosen) -> list[tuple[str, str, int]]:
    """Answer (action, customer, items) of the feedback that each answers, oldest action first.

    An unknown customer is empty; an action without feedback is there, too, with no item.
    """
    sql = f"""
        SELECT a.name, ifnull(l.customer, ''), count(l.feedback) FROM action a
        LEFT JOIN link k ON k.action = a.name
        LEFT JOIN loop l ON l.feedback = k.feedback
        WHERE {chosen.condition()}
        GROUP BY a.position, l.customer ORDER BY a.position, l.customer
    """
    return list(db.execute(sql, chosen.values()))
