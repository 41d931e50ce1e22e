"""NeedBoard: which needs are there, how do they stand, and which open feedback speaks of them?"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

import apsw
from equiloop.feedback.v1 import market_events_pb2 as events
from equiloop.feedback.v1 import market_service_pb2 as api

from libs.projection import Fact, Folds, fold_each
from services.feedback.views.inbox import micros


def _evidence(db: apsw.Connection, need: str, feedback: Sequence[str]) -> None:
    db.executemany("INSERT INTO need_evidence VALUES (?, ?)", [(need, name) for name in feedback])


def _identified(db: apsw.Connection, event: events.NeedIdentified, fact: Fact) -> None:
    db.execute(
        "INSERT INTO need VALUES (?, ?, ?, ?, NULL)",
        (event.need, fact.recorded.position, event.title, api.NEED_STATE_IDENTIFIED),
    )
    _evidence(db, event.need, event.feedback)


def _added(db: apsw.Connection, event: events.NeedEvidenceAdded, _: Fact) -> None:
    _evidence(db, event.need, event.feedback)


def _validated(db: apsw.Connection, event: events.NeedValidated, _: Fact) -> None:
    sql = "UPDATE need SET state = ?, validated = ? WHERE name = ?"
    db.execute(sql, (api.NEED_STATE_VALIDATED, micros(event.event_time), event.need))


def _rejected(db: apsw.Connection, event: events.NeedRejected, _: Fact) -> None:
    sql = "UPDATE need SET state = ?, validated = NULL WHERE name = ?"
    db.execute(sql, (api.NEED_STATE_REJECTED, event.need))


class NeedBoard:
    """Needs in the order in which they were identified, and their evidence."""

    name = "need_board"
    version = 1
    tables = ("need", "need_evidence")
    schema = """
        CREATE TABLE IF NOT EXISTS need (
            name TEXT PRIMARY KEY,
            position INTEGER NOT NULL UNIQUE,
            title TEXT NOT NULL,
            state INTEGER NOT NULL,
            validated INTEGER
        ) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS need_evidence (
            need TEXT NOT NULL,
            feedback TEXT NOT NULL,
            PRIMARY KEY (need, feedback)
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS need_by_evidence ON need_evidence (feedback)
    """
    _folds: ClassVar[Folds] = {
        events.NeedIdentified: _identified,
        events.NeedEvidenceAdded: _added,
        events.NeedValidated: _validated,
        events.NeedRejected: _rejected,
    }
    handles = frozenset(_folds)

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Keep every need, its evidence, and the latest judgement."""
        fold_each(self._folds, db, facts)


def positions(db: apsw.Connection, state: int) -> dict[str, int]:
    """Answer needs that stand so (0: all) with their positions, as they were identified."""
    sql = "SELECT name, position FROM need WHERE :state IN (0, state) ORDER BY position"
    return dict(db.execute(sql, {"state": state}))


def stakes(db: apsw.Connection, state: int) -> list[tuple[str, str, int]]:
    """Answer (need, customer, open items) as needs were identified; one without any is there, too.

    An unknown customer is empty.
    """
    sql = """
        SELECT n.name, ifnull(l.customer, ''), count(l.feedback) FROM need n
        LEFT JOIN need_evidence e ON e.need = n.name
        LEFT JOIN loop l ON l.feedback = e.feedback AND l.closed IS NULL
        WHERE :state IN (0, n.state)
        GROUP BY n.position, l.customer ORDER BY n.position, l.customer
    """
    return list(db.execute(sql, {"state": state}))


def needs_of(db: apsw.Connection, feedback: str) -> list[str]:
    """Answer the needs that a piece of feedback is evidence for, sorted."""
    sql = "SELECT need FROM need_evidence WHERE feedback = ? ORDER BY need"
    return [need for (need,) in db.execute(sql, (feedback,))]


def evidence_of(db: apsw.Connection, needs: Iterable[str]) -> set[str]:
    """Answer the feedback that is evidence for any of ``needs``."""
    sql = "SELECT feedback FROM need_evidence WHERE need = ?"
    return {name for need in needs for (name,) in db.execute(sql, (need,))}
