"""Promises: which one holds for a loop, and by when that is."""

from collections.abc import Iterable

import apsw
from equiloop.customers.v1 import events_pb2 as customers
from equiloop.feedback.v1 import events_pb2 as feedback
from equiloop.feedback.v1 import routing_events_pb2 as events
from google.protobuf.duration_pb2 import Duration

from libs.projection import Fact
from services.feedback.views.routing.rows import rows

RUNNING, MET, BREACHED = 0, 1, 2
"""What became of a deadline."""

ACCEPT, CLOSE = events.LOOP_STAGE_ACCEPT, events.LOOP_STAGE_CLOSE

NEVER = (1 << 63) - 1
"""The deadline of a loop that has none: after all others."""


def _long(within: Duration) -> int:
    return int(within.ToMicroseconds())


def promised(db: apsw.Connection, event: events.LoopSlaSet, _: Fact) -> None:
    """Keep a promise; loops that are open already keep the one that they were given."""
    db.execute(
        "INSERT OR REPLACE INTO sla VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
        (
            event.sla,
            event.channel,
            event.kind,
            event.segment,
            _long(event.accept_within),
            _long(event.close_within),
            _long(event.escalate_every),
        ),
    )


def withdrawn(db: apsw.Connection, event: events.LoopSlaWithdrawn, _: Fact) -> None:
    """Let loops that run under a promise come under another one, or under none."""
    db.execute("UPDATE sla SET stands = 0 WHERE name = ?", (event.sla,))
    sql = "SELECT DISTINCT position FROM deadline WHERE sla = ? AND state = 0 AND end_time IS NULL"
    oblige(db, [position for (position,) in rows(db, sql, (event.sla,))])


def labelled(
    db: apsw.Connection,
    event: customers.CustomerRegistered | customers.CustomerLabelled,
    _: Fact,
) -> None:
    """Keep a customer's segments; what was not missed yet follows them."""
    db.execute("DELETE FROM customer_segment WHERE customer = ?", (event.customer,))
    added = [(event.customer, segment) for segment in event.segments]
    db.executemany("INSERT INTO customer_segment VALUES (?, ?)", added)
    if any_stands(db):
        sql = "SELECT position FROM route WHERE customer = ? AND customer <> '' AND is_open"
        oblige(db, [position for (position,) in rows(db, sql, (event.customer,))])


def attributed(db: apsw.Connection, event: feedback.FeedbackAttributed, _: Fact) -> None:
    """Keep who said it; what was not missed yet follows the author's segments."""
    sql = "UPDATE route SET customer = ? WHERE feedback = ? RETURNING position, is_open"
    for position, is_open in rows(db, sql, (event.customer, event.feedback)):
        if is_open and any_stands(db):
            oblige(db, [position])


def any_stands(db: apsw.Connection) -> bool:
    """Say whether there is any promise at all."""
    return db.execute("SELECT 1 FROM sla WHERE stands LIMIT 1").fetchone() is not None


# The most specific promise that fits; of equally specific ones the shorter.
_BEST = """
    SELECT s.name, s.accept_within, s.close_within FROM sla s
    WHERE s.stands AND s.channel IN (0, :channel) AND s.kind IN (0, :kind)
    AND (s.segment = '' OR s.segment IN
        (SELECT segment FROM customer_segment WHERE customer = :customer))
    ORDER BY (s.channel > 0) + (s.kind > 0) + (s.segment > '') DESC,
        iif(s.close_within, s.close_within, :never), iif(s.accept_within, s.accept_within, :never),
        s.name
    LIMIT 1
"""

_ROUTE = """
    SELECT channel, kind, customer, open_time, function, is_accepted FROM route WHERE position = ?
"""


def oblige(db: apsw.Connection, positions: Iterable[int]) -> None:
    """Give open loops the deadlines of the promise that fits best now, where none was missed."""
    for position in positions:
        channel, kind, customer, opened, function, is_accepted = db.execute(_ROUTE, (position,)).get
        found = {"channel": channel, "kind": kind, "customer": customer, "never": NEVER}
        best = db.execute(_BEST, found).fetchone() or ("", 0, 0)
        sla, accept_within, close_within = best
        for stage, within in ((ACCEPT, accept_within), (CLOSE, close_within)):
            key = (position, stage, opened)
            if not within:
                sql = "DELETE FROM deadline WHERE (position, stage, open_time) = (?, ?, ?)"
                db.execute(sql + " AND state = 0 AND end_time IS NULL", key)
            elif not (stage == ACCEPT and is_accepted):
                db.execute(
                    "INSERT INTO deadline VALUES (?, ?, ?, ?, ?, ?, 0, NULL) ON CONFLICT DO UPDATE"
                    " SET time = excluded.time, sla = excluded.sla"
                    " WHERE state = 0 AND end_time IS NULL",
                    (*key, opened + within, sla, function),
                )
        _show(db, position, opened)


def _show(db: apsw.Connection, position: int, opened: int) -> None:
    """Write into the route what its inbox shows and sorts by."""
    key = (position, CLOSE, opened)
    sql = "SELECT time FROM deadline WHERE (position, stage, open_time) = (?, ?, ?)"
    time = db.execute(sql, key).get
    sql = "SELECT sla FROM deadline WHERE position = ? AND open_time = ? ORDER BY stage DESC"
    sla = db.execute(sql, (position, opened)).fetchone()
    db.execute(
        "UPDATE route SET sla = ?, close_deadline = ? WHERE position = ?",
        (sla[0] if sla else "", NEVER if time is None else time, position),
    )
