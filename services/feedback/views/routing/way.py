"""The way of feedback from function to function."""

import apsw
from equiloop.feedback.v1 import routing_events_pb2 as events

from libs.projection import Fact
from services.feedback.views.inbox import micros
from services.feedback.views.routing.line import managers
from services.feedback.views.routing.loop import meet
from services.feedback.views.routing.rows import rows
from services.feedback.views.routing.sla import ACCEPT


def routed(db: apsw.Connection, event: events.FeedbackRouted, _: Fact) -> None:
    """Put feedback into a function's inbox; who was not told of a missed deadline is."""
    sql = """
        UPDATE route SET function = ?, hops = ?, is_accepted = 0, accept_time = NULL
        WHERE feedback = ? RETURNING position
    """
    (position,) = rows(db, sql, (event.function, event.hop, event.feedback))[0]
    _hold(db, position, event.function)
    sql = """
        UPDATE ladder SET next_time = ? WHERE position = ? AND next_time IS NULL AND level < ?
        AND (level = 0 OR (SELECT escalate_every FROM sla WHERE name = ladder.sla) > 0)
    """
    levels = len(managers(db, event.function))
    db.execute(sql, (micros(event.event_time), position, levels))


def accepted(db: apsw.Connection, event: events.RouteAccepted, _: Fact) -> None:
    """Meet the deadline for acceptance; if it was missed, nobody else is told."""
    at = micros(event.event_time)
    sql = """
        UPDATE route SET is_accepted = 1, accept_time = ? WHERE feedback = ?
        RETURNING position, open_time, is_open
    """
    ((position, opened, is_open),) = rows(db, sql, (at, event.feedback))
    if is_open:
        meet(db, position, ACCEPT, opened, at)
        db.execute("DELETE FROM ladder WHERE position = ? AND stage = ?", (position, ACCEPT))


def returned(db: apsw.Connection, event: events.RouteReturned, _: Fact) -> None:
    """Let nobody hold it: the deadline for acceptance runs on as if nobody had accepted."""
    sql = """
        UPDATE route SET function = '', is_accepted = 0, accept_time = NULL WHERE feedback = ?
        RETURNING position, open_time, is_open
    """
    ((position, opened, is_open),) = rows(db, sql, (event.feedback,))
    if is_open:
        sql = """
            UPDATE deadline SET state = 0, end_time = NULL
            WHERE (position, stage, open_time) = (?, ?, ?) AND state IN (0, 1)
        """
        db.execute(sql, (position, ACCEPT, opened))
    _hold(db, position, "")
    db.execute("UPDATE ladder SET next_time = NULL WHERE position = ?", (position,))


def _hold(db: apsw.Connection, position: int, function: str) -> None:
    """Let running deadlines be those of the function that now holds the feedback."""
    sql = "UPDATE deadline SET function = ? WHERE position = ? AND state = 0 AND end_time IS NULL"
    db.execute(sql, (function, position))
