"""Loops open with what a customer says, close when he was told, and may open again."""

from collections.abc import Sequence

import apsw
from equiloop.feedback.v1 import events_pb2 as feedback
from equiloop.feedback.v1 import routing_events_pb2 as events
from google.protobuf.timestamp_pb2 import Timestamp

from libs.projection import Fact
from services.feedback.views.inbox import micros
from services.feedback.views.routing.rows import rows
from services.feedback.views.routing.sla import MET, NEVER, RUNNING, any_stands, oblige


def received(db: apsw.Connection, facts: Sequence[Fact]) -> None:
    """Keep what was received, and give it its deadlines."""
    added = []
    for fact in facts:
        event = fact.event
        assert isinstance(event, feedback.FeedbackReceived)
        is_structured = event.HasField("score")
        kind = (
            events.FEEDBACK_KIND_STRUCTURED if is_structured else events.FEEDBACK_KIND_UNSTRUCTURED
        )
        at = micros(event.receive_time)
        position = fact.recorded.position
        added.append((position, event.feedback, event.customer, event.channel, kind, at, at, NEVER))
    db.executemany(
        "INSERT INTO route VALUES (?, ?, ?, ?, ?, ?, ?, 1, '', 0, 0, NULL, 0, '', ?)", added
    )
    if any_stands(db):
        oblige(db, [row[0] for row in added])


def closed(db: apsw.Connection, event: feedback.LoopClosed, _: Fact) -> None:
    """Meet what was to be done by when the customer was told; nothing escalates further."""
    position, opened, is_open = _loop(db, event.feedback)
    db.execute("INSERT OR REPLACE INTO answered VALUES (?, ?)", (position, event.action))
    if not is_open:
        return
    db.execute("UPDATE route SET is_open = 0 WHERE position = ?", (position,))
    db.execute("DELETE FROM ladder WHERE position = ?", (position,))
    sql = "SELECT stage FROM deadline WHERE position = ? AND open_time = ?"
    for (stage,) in rows(db, sql, (position, opened)):
        meet(db, position, stage, opened, micros(event.told_time))


def meet(db: apsw.Connection, position: int, stage: int, opened: int, at: int) -> None:
    """End a running deadline: met if in time; if not, its breach must still be put on record."""
    sql = """
        UPDATE deadline SET end_time = :at, state = iif(:at <= time, :met, state)
        WHERE (position, stage, open_time) = (:position, :stage, :opened)
        AND state = :running AND end_time IS NULL
    """
    found = {"position": position, "stage": stage, "opened": opened}
    db.execute(sql, {**found, "at": at, "met": MET, "running": RUNNING})


def reopened(db: apsw.Connection, event: feedback.ActionReopened, _: Fact) -> None:
    """Open again the loops that this action had closed."""
    for name in event.feedback:
        _open_again(db, name, event.action, event.event_time)


def protested(db: apsw.Connection, event: feedback.LoopProtested, _: Fact) -> None:
    """Open the loop of a customer who does not agree."""
    since = event.respond_time if event.HasField("respond_time") else event.event_time
    _open_again(db, event.feedback, event.action, since)


def _open_again(db: apsw.Connection, name: str, action: str, time: Timestamp) -> None:
    """Take back what an action told; without any other answer the loop is open, from now on."""
    position, _, is_open = _loop(db, name)
    db.execute("DELETE FROM answered WHERE position = ? AND action = ?", (position, action))
    left = db.execute("SELECT 1 FROM answered WHERE position = ?", (position,)).fetchone()
    if is_open or left:
        return
    sql = """
        UPDATE route SET is_open = 1, open_time = ?, is_breached = 0, sla = '', close_deadline = ?
        WHERE position = ?
    """
    db.execute(sql, (micros(time), NEVER, position))
    oblige(db, [position])


def _loop(db: apsw.Connection, name: str) -> tuple[int, int, int]:
    """Answer the position of feedback, since when its loop is or was open, and whether it is."""
    sql = "SELECT position, open_time, is_open FROM route WHERE feedback = ?"
    position, opened, is_open = db.execute(sql, (name,)).get
    return position, opened, is_open
