"""What a trace tells of each event, and what it keeps to itself."""

import pytest
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import market_events_pb2 as market
from equiloop.feedback.v1 import routing_events_pb2 as routing
from equiloop.offers.v1 import events_pb2 as offers
from equiloop.options.v1 import options_pb2 as options
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from libs.contract.events import CODEC
from services.feedback.trace.reading import concerns
from services.feedback.trace.telling import TELL

NOT_OF_A_WAY = {
    market.DecisionInfluenced,
    market.DigestAcknowledged,
    market.DigestEscalated,
    market.DigestScheduleSet,
    market.DigestScheduleWithdrawn,
    market.MarketDigestDelivered,
    market.ThemePrioritised,
    routing.LoopSlaSet,
    routing.LoopSlaWithdrawn,
    routing.RoutingRulesSet,
    events.ThemeRulesSet,
}
"""What happens to the organisation and not to feedback, actions, needs or offers."""

SECRET = "what somebody said"


def filled(kind: type[Message]) -> Message:
    """An event all of whose personal fields hold the same words."""
    event = kind()
    for field in kind.DESCRIPTOR.fields:
        if field.GetOptions().Extensions[options.personal]:
            assert field.type == FieldDescriptor.TYPE_STRING
            setattr(event, field.name, SECRET)
        elif field.name == "cost":
            event.cost.currency_code = "EUR"  # type: ignore[attr-defined]
    return event


def test_every_event_of_a_way_is_told() -> None:
    """No event of feedback, needs, actions, routes or offers is missing in a trace."""
    ours = {
        kind
        for name, kind in CODEC.types.items()
        if kind.DESCRIPTOR.file.name.rsplit("/", 1)[1]
        in ("events.proto", "market_events.proto", "routing_events.proto")
        and name.startswith(("equiloop.feedback.", "equiloop.offers."))
    }
    assert ours - NOT_OF_A_WAY == set(TELL)


@pytest.mark.parametrize("kind", TELL, ids=lambda kind: kind.DESCRIPTOR.name)
def test_no_step_says_what_a_person_said(kind: type[Message]) -> None:
    """Personal words stay where they were recorded, whatever else a step says."""
    _, tell = TELL[kind]
    assert SECRET not in tell(filled(kind))


@pytest.mark.parametrize(
    ("event", "of_it"),
    [
        (events.LoopClosed(feedback="feedback/1"), True),
        (events.LoopClosed(feedback="feedback/2"), False),
        (events.ActionCompleted(feedback=["feedback/2"]), True),
        (events.ActionLinked(feedback=["feedback/2"]), False),
        (events.ActionLinked(feedback=["feedback/1", "feedback/2"]), True),
        (market.NeedEvidenceAdded(feedback=["feedback/2"]), False),
        (offers.OfferLaunched(), True),
    ],
)
def test_a_way_has_what_concerns_its_feedback(event: Message, of_it: bool) -> None:
    """What names other feedback alone is not on the way of this one."""
    assert concerns(event, "feedback/1") is of_it
    assert concerns(event, "")
