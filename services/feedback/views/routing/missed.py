"""Deadlines that were missed, and how far up that is known."""

from dataclasses import dataclass

import apsw
from equiloop.feedback.v1 import routing_events_pb2 as events

from libs.projection import Fact
from services.feedback.views.inbox import micros
from services.feedback.views.routing.line import managers
from services.feedback.views.routing.rows import rows
from services.feedback.views.routing.sla import BREACHED, CLOSE


def breached(db: apsw.Connection, event: events.LoopSlaBreached, _: Fact) -> None:
    """Put a breach on record; somebody is to be told while what was missed is still not done."""
    sql = "SELECT position, open_time, is_open, is_accepted FROM route WHERE feedback = ?"
    position, opened, is_open, is_accepted = db.execute(sql, (event.feedback,)).get
    since = micros(event.open_time)
    sql = """
        UPDATE deadline SET state = ?, function = ?
        WHERE (position, stage, open_time) = (?, ?, ?)
    """
    db.execute(sql, (BREACHED, event.function, position, event.stage, since))
    if opened != since:
        return
    db.execute("UPDATE route SET is_breached = 1 WHERE position = ?", (position,))
    if is_open and (event.stage == CLOSE or not is_accepted):
        sql = "INSERT OR REPLACE INTO ladder VALUES (?, ?, ?, ?, 0, NULL)"
        db.execute(sql, (position, event.stage, micros(event.deadline), event.sla))


def escalated(db: apsw.Connection, event: events.FeedbackEscalated, _: Fact) -> None:
    """Keep the level, and when the next one is told; at the top it ends."""
    sql = "SELECT position, function FROM route WHERE feedback = ?"
    position, function = db.execute(sql, (event.feedback,)).get
    every = db.execute("SELECT escalate_every FROM sla WHERE name = ?", (event.sla,)).get
    is_top = event.level >= len(managers(db, function))
    after = None if is_top or not every else micros(event.event_time) + every
    sql = """
        UPDATE ladder SET level = ?, next_time = ?
        WHERE position = ? AND stage = ? AND deadline = ?
    """
    key = (position, event.stage, micros(event.deadline))
    db.execute(sql, (event.level, after, *key))


@dataclass(frozen=True, slots=True)
class Due:
    """Something that must be put on record; times are in microseconds.

    ``level`` is how far up a missed deadline was taken so far, ``managers`` who may be told, level
    by level; nobody where what was missed has been done meanwhile.
    """

    key: tuple[int, int, int]
    managers: tuple[str, ...]
    feedback: str
    stage: int
    deadline: int
    sla: str
    open_time: int
    function: str
    level: int

    @property
    def next(self) -> str:
        """Who is to be told now; empty: nobody."""
        return self.managers[self.level] if self.level < len(self.managers) else ""


START = (-(1 << 62), 0, 0)
"""Before the first that is due."""

_MISSED = """
    SELECT d.time, d.position, d.stage, r.feedback, d.stage, d.time, d.sla, d.open_time, d.function,
        0, r.is_open AND d.end_time IS NULL
    FROM deadline d JOIN route r ON r.position = d.position
    WHERE d.state = 0 AND d.time < :now AND (d.time, d.position, d.stage) > (:t, :p, :s)
    ORDER BY d.time, d.position, d.stage LIMIT :limit
"""

_LADDERS = """
    SELECT l.next_time, l.position, 0, r.feedback, l.stage, l.deadline, l.sla, r.open_time,
        r.function, l.level, 1
    FROM ladder l JOIN route r ON r.position = l.position
    WHERE l.next_time <= :now AND (l.next_time, l.position) > (:t, :p)
    ORDER BY l.next_time, l.position LIMIT :limit
"""


def missed(db: apsw.Connection, now: int, after: tuple[int, int, int], limit: int) -> list[Due]:
    """Answer deadlines before ``now`` that nobody has put on record yet, the earliest first."""
    return _due(db, _MISSED, now, after, limit)


def ladders(db: apsw.Connection, now: int, after: tuple[int, int, int], limit: int) -> list[Due]:
    """Answer missed deadlines that are to be taken one level up by ``now``, the earliest first."""
    return _due(db, _LADDERS, now, after, limit)


def _due(
    db: apsw.Connection, sql: str, now: int, after: tuple[int, int, int], limit: int
) -> list[Due]:
    time, position, stage = after
    values = {"now": now, "t": time, "p": position, "s": stage, "limit": limit}
    return [
        Due(row[:3], tuple(managers(db, row[8])) if row[10] else (), *row[3:10])
        for row in rows(db, sql, values)
    ]
