"""LeaderListening: which decisions did feedback change, for which function?"""

from collections.abc import Sequence

import apsw
from equiloop.feedback.v1 import market_events_pb2 as events

from libs.projection import Fact
from services.feedback.views.inbox import micros


class LeaderListening:
    """Decisions in the order in which they were recorded, and what is behind them."""

    name = "leader_listening"
    version = 1
    tables = ("decision", "decision_behind")
    schema = """
        CREATE TABLE IF NOT EXISTS decision (
            name TEXT PRIMARY KEY,
            position INTEGER NOT NULL UNIQUE,
            function TEXT NOT NULL,
            decided INTEGER NOT NULL,
            recorded INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS decision_behind (
            behind TEXT NOT NULL,
            decision TEXT NOT NULL,
            PRIMARY KEY (behind, decision)
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS behind_by_decision ON decision_behind (decision)
    """
    handles = frozenset({events.DecisionInfluenced})

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Keep every decision with the names of feedback and needs behind it."""
        for fact in facts:
            event = fact.event
            if isinstance(event, events.DecisionInfluenced):
                decided, recorded = micros(event.decide_time), micros(event.event_time)
                row = (event.decision, fact.recorded.position, event.function, decided, recorded)
                db.execute("INSERT INTO decision VALUES (?, ?, ?, ?, ?)", row)
                behind = [(name, event.decision) for name in (*event.feedback, *event.needs)]
                db.executemany("INSERT INTO decision_behind VALUES (?, ?)", behind)


def list_decisions(
    db: apsw.Connection, *, after: int, limit: int, function: str, feedback: str
) -> list[tuple[int, str]]:
    """Answer (position, name) of decisions recorded after position ``after``."""
    sql = "SELECT position, name FROM decision WHERE position > :after"
    if function:
        sql += " AND function = :function"
    if feedback:
        sql += " AND name IN (SELECT decision FROM decision_behind WHERE behind = :feedback)"
    sql += " ORDER BY position LIMIT :limit"
    values = {"after": after, "limit": limit, "function": function, "feedback": feedback}
    return list(db.execute(sql, values))


def listening(
    db: apsw.Connection, *, start: int, end: int, as_of: int, limit: int
) -> list[tuple[str, int, int, int]]:
    """Answer (function, decisions, feedback items, needs), each counted once; first all of them.

    Decisions made in the window and recorded by ``as_of``. The row of all has no function.
    """
    of_window = "decided >= :start AND decided < :end AND recorded <= :as_of"
    counts = """
        count(DISTINCT d.name),
        count(DISTINCT CASE WHEN b.behind LIKE 'feedback/%' THEN b.behind END),
        count(DISTINCT CASE WHEN b.behind LIKE 'needs/%' THEN b.behind END)
        FROM decision d LEFT JOIN decision_behind b ON b.decision = d.name
    """
    values = {"start": start, "end": end, "as_of": as_of, "limit": limit}
    overall = db.execute(f"SELECT '', {counts} WHERE {of_window}", values)
    rows = list(overall)
    sql = f"SELECT function, {counts} WHERE {of_window} GROUP BY function ORDER BY 1 LIMIT :limit"
    return rows + list(db.execute(sql, values))
