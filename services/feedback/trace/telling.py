"""What a step says, in a few words: never what a person said, those words stay in the log."""

from collections.abc import Callable, Mapping
from typing import Any

from equiloop.customers.v1 import events_pb2 as customers
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import market_events_pb2 as market
from equiloop.feedback.v1 import routing_events_pb2 as routing
from equiloop.feedback.v1 import service_pb2 as api
from equiloop.offers.v1 import events_pb2 as offers
from google.protobuf.message import Message

from libs.eventstore.port import RecordedEvent
from libs.kernel.money import to_minor, to_text
from services.feedback.views.lineage import Purchase

Tell = Callable[[Any], str]


def _plain(enum: Any, number: int) -> str:
    """Answer the name of an enum's value in plain words: CHANNEL_WEB → `web`."""
    prefix = enum.Name(0).removesuffix("UNSPECIFIED")
    return str(enum.Name(number)).removeprefix(prefix).lower().replace("_", " ")


def _coded(event: events.FeedbackCoded) -> str:
    about = ", ".join(event.themes) or "no theme"
    coder = " ".join(filter(None, (event.coder.name, event.coder.version)))
    feels = "" if event.without_sentiment else f"; sentiment {event.sentiment:+.2f}"
    return f"coded by {coder}: {about}{feels}"


def _committed(event: events.ActionCommitted) -> str:
    approved = f", approved by {event.approved_by}" if event.approved_by else ""
    kind = _plain(events.ActionKind, event.kind)
    return f"{event.owner} committed to a {kind}{approved}: {event.title}"


def _escalated(event: events.ActionEscalated) -> str:
    cost = to_text(to_minor(event.cost), event.cost.currency_code)
    whose = event.escalated_to or "nobody yet"
    return f"over the authority of {event.committed_by} at {cost}: {whose} may approve"


def _drafted(event: offers.OfferDrafted) -> str:
    price = event.price
    at = f" at {to_text(to_minor(price), price.currency_code)}" if event.HasField("price") else ""
    return f"offer drafted ({_plain(offers.Origin, event.origin)}){at}: {event.title}"


def _breached(event: routing.LoopSlaBreached) -> str:
    due = event.deadline.ToDatetime().isoformat(" ", "minutes")
    return f"{event.sla} breached: to {_plain(routing.LoopStage, event.stage)} by {due} UTC"


def _told(event: events.LoopClosed) -> str:
    by = f", by {event.told_by}" if event.told_by else ""
    return f"told by {_plain(events.Channel, event.channel)}{by}"


_WORDS: Mapping[type[Message], Tell] = {
    events.FeedbackReceived: lambda e: f"received by {_plain(events.Channel, e.channel)}",
    events.FeedbackAttributed: lambda e: f"attributed to {e.customer} by {e.by}",
}
_CODING: Mapping[type[Message], Tell] = {
    events.FeedbackCoded: _coded,
    events.CauseClassified: lambda e: f"cause: {_plain(events.Cause, e.cause)}, says {e.by}",
}
_ROUTING: Mapping[type[Message], Tell] = {
    routing.FeedbackRouted: lambda e: f"routed to {e.function} by {e.by} (hop {e.hop})",
    routing.RouteAccepted: lambda e: f"accepted by {e.function}",
    routing.RouteReturned: lambda e: f"returned by {e.function}: {e.reason}",
    routing.LoopSlaBreached: _breached,
    routing.FeedbackEscalated: lambda e: f"escalated to {e.to} (level {e.level})",
}
_NEED: Mapping[type[Message], Tell] = {
    market.NeedIdentified: lambda e: f"need identified by {e.by}: {e.title}",
    market.NeedEvidenceAdded: lambda e: f"evidence for it, says {e.by}",
    market.NeedValidated: lambda e: f"validated by {_plain(market.ValidationMethod, e.method)}",
    market.NeedRejected: lambda e: f"rejected: {e.reason}",
}
_ACTION: Mapping[type[Message], Tell] = {
    events.ActionEscalated: _escalated,
    events.ActionCommitted: _committed,
    events.ActionLinked: lambda e: f"{len(e.feedback)} items and {len(e.needs)} needs more linked",
    events.ActionCompleted: lambda e: f"completed: {e.outcome}",
    events.ActionDeclined: lambda e: f"declined: {e.reason}",
    events.ActionReopened: lambda e: f"reopened: {e.reason}",
}
_OFFER: Mapping[type[Message], Tell] = {
    offers.OfferDrafted: _drafted,
    offers.OfferApproved: lambda e: f"approved by {e.customer_manager}",
    offers.OfferLaunched: lambda _: "launched",
    offers.OfferPresented: lambda e: f"shown {e.offer}",
}
_TOLD: Mapping[type[Message], Tell] = {events.LoopClosed: _told}
_RESPONSE: Mapping[type[Message], Tell] = {
    events.LoopConfirmed: lambda _: "the customer agrees",
    events.LoopProtested: lambda _: "the customer protests: open again",
    offers.OfferAccepted: lambda e: f"accepted {e.offer}",
    offers.OfferRefused: lambda e: f"refused {e.offer}",
}

TELL: Mapping[type[Message], tuple[api.TraceStage.ValueType, Tell]] = {
    event: (stage, tell)
    for stage, tells in (
        (api.TRACE_STAGE_WORDS, _WORDS),
        (api.TRACE_STAGE_CODING, _CODING),
        (api.TRACE_STAGE_ROUTING, _ROUTING),
        (api.TRACE_STAGE_NEED, _NEED),
        (api.TRACE_STAGE_ACTION, _ACTION),
        (api.TRACE_STAGE_OFFER, _OFFER),
        (api.TRACE_STAGE_TOLD, _TOLD),
        (api.TRACE_STAGE_RESPONSE, _RESPONSE),
    )
    for event, tell in tells.items()
}
"""Which part of the way an event is, and what to say of it."""


def step_of(resource: str, recorded: RecordedEvent, event: Message) -> api.TraceStep:
    """Answer the step that an event is in the history of ``resource``."""
    stage, tell = TELL[type(event)]
    return api.TraceStep(
        event_time=event.event_time,  # type: ignore[attr-defined]
        event_type=recorded.type,
        resource=resource,
        summary=tell(event),
        event_id=str(recorded.id),
        position=recorded.position,
        stage=stage,
    )


def bought(purchase: Purchase) -> api.TraceStep:
    """Answer the step that a purchase is; what was given back is not counted in it."""
    step = api.TraceStep(
        event_type=customers.TransactionRecorded.DESCRIPTOR.full_name,
        resource=purchase.name,
        summary=f"bought for {to_text(purchase.minor, purchase.currency)}",
        event_id=str(purchase.event),
        position=purchase.position,
        stage=api.TRACE_STAGE_PURCHASE,
    )
    step.event_time.FromMicroseconds(purchase.recorded)
    return step
