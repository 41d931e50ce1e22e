"""FunctionInbox, LoopSla, TimeToRightPerson: who holds feedback, and what is due by when?

One class, because one event changes what another means: which deadline a loop has depends on its
customer's segments, on the promises that hold, and on what happened before, in log order.
"""

from collections.abc import Sequence
from typing import ClassVar

import apsw
from equiloop.customers.v1 import events_pb2 as customers
from equiloop.customers.v1 import organisation_events_pb2 as organisation
from equiloop.feedback.v1 import events_pb2 as feedback
from equiloop.feedback.v1 import routing_events_pb2 as events

from libs.projection import Fact, Folds, fold_each
from services.feedback.views.routing import line, loop, missed, sla, way

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS route (
        position INTEGER PRIMARY KEY,
        feedback TEXT NOT NULL UNIQUE,
        customer TEXT NOT NULL,
        channel INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        receive_time INTEGER NOT NULL,
        open_time INTEGER NOT NULL,
        is_open INTEGER NOT NULL,
        function TEXT NOT NULL,
        hops INTEGER NOT NULL,
        is_accepted INTEGER NOT NULL,
        accept_time INTEGER,
        is_breached INTEGER NOT NULL,
        sla TEXT NOT NULL,
        close_deadline INTEGER NOT NULL
    );
    CREATE INDEX IF NOT EXISTS route_by_age
        ON route (function, is_accepted, is_breached, receive_time, position) WHERE is_open;
    CREATE INDEX IF NOT EXISTS route_by_deadline
        ON route (function, is_accepted, is_breached, close_deadline, position) WHERE is_open;
    CREATE INDEX IF NOT EXISTS route_by_customer ON route (customer) WHERE customer <> '';
    CREATE INDEX IF NOT EXISTS route_by_time
        ON route (receive_time, is_accepted, accept_time, hops, function);
    CREATE TABLE IF NOT EXISTS answered (
        position INTEGER NOT NULL,
        action TEXT NOT NULL,
        PRIMARY KEY (position, action)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS deadline (
        position INTEGER NOT NULL,
        stage INTEGER NOT NULL,
        open_time INTEGER NOT NULL,
        time INTEGER NOT NULL,
        sla TEXT NOT NULL,
        function TEXT NOT NULL,
        state INTEGER NOT NULL,
        end_time INTEGER,
        PRIMARY KEY (position, stage, open_time)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS deadline_running
        ON deadline (time, position, stage) WHERE state = 0;
    CREATE INDEX IF NOT EXISTS deadline_by_time
        ON deadline (open_time, stage, state, time, function);
    CREATE INDEX IF NOT EXISTS deadline_by_sla ON deadline (sla) WHERE state = 0;
    CREATE TABLE IF NOT EXISTS ladder (
        position INTEGER PRIMARY KEY,
        stage INTEGER NOT NULL,
        deadline INTEGER NOT NULL,
        sla TEXT NOT NULL,
        level INTEGER NOT NULL,
        next_time INTEGER
    );
    CREATE INDEX IF NOT EXISTS ladder_next
        ON ladder (next_time, position) WHERE next_time IS NOT NULL;
    CREATE TABLE IF NOT EXISTS sla (
        name TEXT PRIMARY KEY,
        channel INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        segment TEXT NOT NULL,
        accept_within INTEGER NOT NULL,
        close_within INTEGER NOT NULL,
        escalate_every INTEGER NOT NULL,
        stands INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS customer_segment (
        customer TEXT NOT NULL,
        segment TEXT NOT NULL,
        PRIMARY KEY (customer, segment)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS function_head (
        function TEXT PRIMARY KEY,
        head TEXT NOT NULL,
        parent TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS reporting_line (
        manager TEXT PRIMARY KEY,
        reports_to TEXT NOT NULL
    ) WITHOUT ROWID
"""


class FeedbackRoutes:
    """Where each piece of feedback is, its deadlines, and how far up a missed one was taken.

    A row of `route` is a piece of feedback, known by the position at which it was received. Its
    deadlines stand in `deadline`, one a stage and opening: running (0) until met (1) or breached
    (2); one that was met too late runs on, with its end_time, until the breach is on record.
    """

    name = "feedback_routes"
    version = 1
    tables = (
        "route",
        "answered",
        "deadline",
        "ladder",
        "sla",
        "customer_segment",
        "function_head",
        "reporting_line",
    )
    schema = _SCHEMA
    _folds: ClassVar[Folds] = {
        customers.CustomerRegistered: sla.labelled,
        customers.CustomerLabelled: sla.labelled,
        events.LoopSlaSet: sla.promised,
        events.LoopSlaWithdrawn: sla.withdrawn,
        feedback.FeedbackAttributed: sla.attributed,
        feedback.LoopClosed: loop.closed,
        feedback.LoopProtested: loop.protested,
        feedback.ActionReopened: loop.reopened,
        events.FeedbackRouted: way.routed,
        events.RouteAccepted: way.accepted,
        events.RouteReturned: way.returned,
        events.LoopSlaBreached: missed.breached,
        events.FeedbackEscalated: missed.escalated,
        organisation.FunctionRegistered: line.headed,
        organisation.FunctionChanged: line.headed,
        organisation.ReportingLineSet: line.placed,
    }
    handles = frozenset(_folds) | {feedback.FeedbackReceived}

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Fold in log order; feedback that comes in a row is written in a row."""
        start = 0
        while start < len(facts):
            end = start
            while end < len(facts) and isinstance(facts[end].event, feedback.FeedbackReceived):
                end += 1
            if end > start:
                loop.received(db, facts[start:end])
            else:
                end += 1
                fold_each(self._folds, db, facts[start:end])
            start = end
