"""State → resource: routes, inboxes, rules and promises as the contract shows them."""

from equiloop.feedback.v1 import events_pb2 as feedback
from equiloop.feedback.v1 import routing_events_pb2 as events
from equiloop.feedback.v1 import routing_service_pb2 as api

from libs.decider import Handled
from services.feedback.domain.route import Hop, Route
from services.feedback.domain.rules import Rules
from services.feedback.domain.sla import Sla
from services.feedback.views.routing.asked import Held
from services.feedback.views.routing.report import Kept
from services.feedback.views.routing.sla import NEVER


def route(name: str, handled: Handled[Route] | None) -> api.Route:
    """Answer the way of feedback; ``handled`` is None while nothing has happened."""
    resource = api.Route(name=name)
    if handled is None:
        return resource
    state = handled.state
    resource.etag = str(handled.revision)
    resource.hops.extend(map(_hop, state.hops))
    if (held := state.holding) is not None:
        resource.function, resource.accepted = held.routed.function, held.accepted is not None
    for breach in state.breaches:
        resource.breaches.add(
            sla=breach.sla,
            stage=breach.stage,
            deadline=breach.deadline,
            notice_time=breach.event_time,
            function=breach.function,
        )
    for step in state.escalations:
        resource.escalations.add(
            to=step.to,
            level=step.level,
            stage=step.stage,
            deadline=step.deadline,
            escalate_time=step.event_time,
        )
    return resource


def _hop(hop: Hop) -> api.Hop:
    resource = api.Hop(
        function=hop.routed.function,
        by=hop.routed.by,
        reason=hop.routed.reason,
        route_time=hop.routed.event_time,
    )
    if hop.accepted is not None:
        resource.accept_time.CopyFrom(hop.accepted.event_time)
        resource.accepted_by = hop.accepted.by
    if hop.returned is not None:
        resource.return_time.CopyFrom(hop.returned.event_time)
        resource.returned_by = hop.returned.by
        resource.return_reason = hop.returned.reason
    return resource


def held(item: Held) -> api.InboxItem:
    """Answer feedback in an inbox."""
    resource = api.InboxItem(
        feedback=item.feedback,
        customer=item.customer,
        channel=feedback.Channel.ValueType(item.channel),
        hops=item.hops,
        accepted=item.is_accepted,
        sla=item.sla,
        breached=item.is_breached,
        level=item.level,
    )
    resource.receive_time.FromMicroseconds(item.receive_time)
    resource.open_time.FromMicroseconds(item.open_time)
    if item.accept_deadline is not None:
        resource.accept_deadline.FromMicroseconds(item.accept_deadline)
    if item.close_deadline != NEVER:
        resource.close_deadline.FromMicroseconds(item.close_deadline)
    return resource


def rules(handled: Handled[Rules] | None) -> api.RoutingRules:
    """Answer the rules that hold; ``handled`` is None while there are none."""
    if handled is None or not handled.state.versions:
        return api.RoutingRules()
    present = handled.state.versions[-1]
    return api.RoutingRules(
        rules=present.rules, update_time=present.event_time, etag=str(handled.revision)
    )


def sla(handled: Handled[Sla]) -> api.LoopSla:
    """Answer a promise as it now is."""
    promised, withdrawn = handled.state.promised, handled.state.withdrawn
    assert promised is not None
    return api.LoopSla(
        name=promised.sla,
        channel=promised.channel,
        kind=promised.kind,
        segment=promised.segment,
        accept_within=promised.accept_within if promised.HasField("accept_within") else None,
        close_within=promised.close_within if promised.HasField("close_within") else None,
        escalate_every=promised.escalate_every if promised.HasField("escalate_every") else None,
        update_time=(withdrawn or promised).event_time,
        withdrawn=withdrawn is not None,
        etag=str(handled.revision),
    )


def kept(counts: Kept) -> api.StageCounts:
    """Answer what became of the deadlines of one stage."""
    return api.StageCounts(
        stage=events.LoopStage.ValueType(counts.stage),
        total_count=counts.total,
        met_count=counts.met,
        breached_count=counts.breached,
        running_count=counts.running,
    )
