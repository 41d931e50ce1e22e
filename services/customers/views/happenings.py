"""What a customer lives through, in a few words: when it happened, what to, what it was.

Summaries never say who somebody is or what a person said: those words stay in the log.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from equiloop.customers.v1 import events_pb2 as customers
from equiloop.feedback.v1 import community_events_pb2 as community
from equiloop.feedback.v1 import conversation_events_pb2 as conversation
from equiloop.feedback.v1 import events_pb2 as feedback
from equiloop.feedback.v1 import market_events_pb2 as market
from equiloop.feedback.v1 import routing_events_pb2 as routing
from equiloop.offers.v1 import events_pb2 as offers
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from libs.kernel.money import to_minor, to_text


class Happening(NamedTuple):
    """One thing that happened: when, the resource that it happened to, and a summary."""

    time: Timestamp
    resource: str
    summary: str


def _plain(name: str, prefix: str) -> str:
    """Answer the name of an enum's value in plain words: CHANNEL_WEB → `web`."""
    return name.removeprefix(prefix).lower().replace("_", " ")


def _channel(event: feedback.FeedbackReceived | feedback.LoopClosed) -> str:
    return _plain(feedback.Channel.Name(event.channel), "CHANNEL_")


def _kind(event: feedback.ActionCommitted | feedback.ActionEscalated) -> str:
    kind = _plain(feedback.ActionKind.Name(event.kind), "ACTION_KIND_")
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _amount(event: customers.TransactionRecorded | customers.TransactionRefunded) -> str:
    return to_text(to_minor(event.amount), event.amount.currency_code)


def _when(event: Any, field: str) -> Timestamp:
    """Answer when it happened; the oldest events know only when it was recorded."""
    time: Timestamp = getattr(event, field if event.HasField(field) else "event_time")
    return time


def _registered(event: customers.CustomerRegistered) -> Happening:
    source = f" from {event.source}" if event.source else ""
    return Happening(event.event_time, event.customer, f"registered{source}")


def _updated(event: customers.CustomerUpdated) -> Happening:
    return Happening(event.event_time, event.customer, "details corrected")


def _labelled(event: customers.CustomerLabelled) -> Happening:
    cohort, segments = event.cohort or "none", ", ".join(event.segments) or "none"
    return Happening(event.event_time, event.customer, f"cohort: {cohort}; segments: {segments}")


def _assigned(event: customers.CustomerManagerAssigned) -> Happening:
    summary = f"{event.customer_manager} answers for the relationship"
    return Happening(event.event_time, event.customer, summary)


def _bought(event: customers.TransactionRecorded) -> Happening:
    return Happening(event.purchase_time, event.transaction, f"bought for {_amount(event)}")


def _refunded(event: customers.TransactionRefunded) -> Happening:
    return Happening(event.refund_time, event.transaction, f"got {_amount(event)} back")


def _said(event: feedback.FeedbackReceived) -> Happening:
    return Happening(event.receive_time, event.feedback, f"feedback by {_channel(event)}")


def _attributed(event: feedback.FeedbackAttributed) -> Happening:
    return Happening(event.event_time, event.feedback, "feedback found its author")


def _coded(event: feedback.FeedbackCoded) -> Happening:
    about = ", ".join(event.themes) or "no theme"
    feels = "" if event.without_sentiment else f"; sentiment {event.sentiment:+.2f}"
    summary = f"feedback coded: {about}{feels}"
    return Happening(event.event_time, event.feedback, summary)


def _committed(event: feedback.ActionCommitted) -> Happening:
    summary = f"{event.owner} committed to {_kind(event)}"
    return Happening(_when(event, "commit_time"), event.action, summary)


def _completed(event: feedback.ActionCompleted) -> Happening:
    return Happening(_when(event, "complete_time"), event.action, "action completed")


def _declined(event: feedback.ActionDeclined) -> Happening:
    return Happening(_when(event, "decline_time"), event.action, "action declined")


def _told(event: feedback.LoopClosed) -> Happening:
    summary = f"told by {_channel(event)} what became of it"
    return Happening(event.told_time, event.action, summary)


def _classified(event: feedback.CauseClassified) -> Happening:
    cause = _plain(feedback.Cause.Name(event.cause), "CAUSE_")
    return Happening(event.event_time, event.feedback, f"what lies behind feedback: {cause}")


def _escalated(event: feedback.ActionEscalated) -> Happening:
    summary = f"{event.owner} asks for approval of {_kind(event)}"
    return Happening(event.event_time, event.action, summary)


def _linked(event: feedback.ActionLinked) -> Happening:
    return Happening(event.event_time, event.action, "an action answers this feedback, too")


def _reopened(event: feedback.ActionReopened) -> Happening:
    return Happening(event.event_time, event.action, "what was told holds no more")


def _confirmed(event: feedback.LoopConfirmed) -> Happening:
    return Happening(event.respond_time, event.action, "agreed with what was told")


def _needed(event: market.NeedIdentified | market.NeedEvidenceAdded) -> Happening:
    return Happening(event.event_time, event.need, "feedback taken as evidence for a need")


def _influenced(event: market.DecisionInfluenced) -> Happening:
    return Happening(event.decide_time, event.decision, "feedback changed a decision")


def _protested(event: feedback.LoopProtested) -> Happening:
    return Happening(event.respond_time, event.action, "protested against what was told")


def _presented(event: offers.OfferPresented) -> Happening:
    origin = _plain(offers.Origin.Name(event.origin), "ORIGIN_")
    return Happening(event.present_time, event.presentation, f"shown {event.offer} ({origin})")


def _accepted(event: offers.OfferAccepted) -> Happening:
    return Happening(event.respond_time, event.presentation, f"accepted {event.offer}")


def _refused(event: offers.OfferRefused) -> Happening:
    return Happening(event.respond_time, event.presentation, f"refused {event.offer}")


def _routed(event: routing.FeedbackRouted) -> Happening:
    return Happening(event.event_time, event.feedback, f"went to {event.function}")


def _accepted_by(event: routing.RouteAccepted) -> Happening:
    return Happening(event.event_time, event.feedback, f"taken on by {event.function}")


def _returned(event: routing.RouteReturned) -> Happening:
    return Happening(event.event_time, event.feedback, f"given back by {event.function}")


def _breached(event: routing.LoopSlaBreached) -> Happening:
    stage = _plain(routing.LoopStage.Name(event.stage), "LOOP_STAGE_")
    return Happening(event.event_time, event.feedback, f"deadline to {stage} missed")


def _taken_up(event: routing.FeedbackEscalated) -> Happening:
    summary = f"missed deadline taken up to level {event.level}"
    return Happening(event.event_time, event.feedback, summary)


_Turned = (
    conversation.MessageSent
    | conversation.MessageReceived
    | conversation.InformationRequested
    | conversation.InformationGiven
)


def _turned(event: _Turned) -> Happening:
    ours = event.turn.said_by == conversation.SIDE_ORGANISATION
    who = f"{event.turn.function} " if ours else ""
    match event:
        case conversation.InformationRequested():
            did = "asked for information"
        case conversation.InformationGiven():
            did = "gave information"
        case _:
            did = "wrote or spoke"
    channel = _plain(feedback.Channel.Name(event.turn.channel), "CHANNEL_")
    return Happening(event.turn.say_time, event.conversation, f"{who}{did} by {channel}")


def _asked(event: community.QuestionAsked) -> Happening:
    return Happening(event.ask_time, event.question, "asked other members")


def _answered(event: community.AnswerGiven) -> Happening:
    return Happening(event.answer_time, event.question, "answered another member")


def whose(event: Any) -> str:
    """Answer the customer to whom an event of OF_CUSTOMER happened; none: nobody known."""
    match event:
        case community.QuestionAsked():
            return str(event.asker)
        case community.AnswerGiven():
            return str(event.member)
    return str(event.turn.customer if isinstance(event, _Turned) else event.customer)


Tell = Callable[[Any], Happening]

OF_CUSTOMER: Mapping[type[Message], Tell] = {
    customers.CustomerRegistered: _registered,
    customers.CustomerUpdated: _updated,
    customers.CustomerLabelled: _labelled,
    customers.CustomerManagerAssigned: _assigned,
    customers.TransactionRecorded: _bought,
    customers.TransactionRefunded: _refunded,
    feedback.FeedbackReceived: _said,
    feedback.FeedbackAttributed: _attributed,
    feedback.FeedbackCoded: _coded,
    feedback.LoopConfirmed: _confirmed,
    feedback.LoopProtested: _protested,
    conversation.MessageSent: _turned,
    conversation.MessageReceived: _turned,
    conversation.InformationRequested: _turned,
    conversation.InformationGiven: _turned,
    community.QuestionAsked: _asked,
    community.AnswerGiven: _answered,
    offers.OfferPresented: _presented,
    offers.OfferAccepted: _accepted,
    offers.OfferRefused: _refused,
}
"""What happened to the one customer whom the event names; none named: to one yet to be found."""

OF_FEEDBACK: Mapping[type[Message], Tell] = {
    feedback.ActionEscalated: _escalated,
    feedback.ActionCommitted: _committed,
    feedback.CauseClassified: _classified,
    feedback.ActionLinked: _linked,
    feedback.ActionCompleted: _completed,
    feedback.ActionDeclined: _declined,
    feedback.ActionReopened: _reopened,
    feedback.LoopClosed: _told,
    market.NeedIdentified: _needed,
    market.NeedEvidenceAdded: _needed,
    market.DecisionInfluenced: _influenced,
    routing.FeedbackRouted: _routed,
    routing.RouteAccepted: _accepted_by,
    routing.RouteReturned: _returned,
    routing.LoopSlaBreached: _breached,
    routing.FeedbackEscalated: _taken_up,
}
"""What happened to all customers whose feedback the event names."""
