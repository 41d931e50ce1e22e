"""A customer's refusal of an offer is heard as feedback."""

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from equiloop.feedback.v1 import events_pb2 as feedback_events
from equiloop.feedback.v1 import service_pb2 as feedback_api
from equiloop.offers.v1 import events_pb2 as events

from libs.contract.metadata import Metadata
from libs.decider import Request
from libs.eventstore.port import RecordedEvent
from libs.kernel.values import timestamp
from libs.projection import Fact
from libs.projection.reactor import TryAgain
from services.offers.policy import RefusalsBecomeFeedback, Rejected
from tests.specs.given import NOW


@dataclass
class Listener:
    """Takes everything down, or raises what it is told to."""

    error: Exception | None = None
    heard: list[tuple[feedback_api.RecordFeedbackRequest, Request]] = field(default_factory=list)

    async def record(self, said: feedback_api.RecordFeedbackRequest, cause: Request) -> None:
        if self.error:
            raise self.error
        self.heard.append((said, cause))


def refused(reason: str = "Too dear", metadata: bytes = b"") -> Fact:
    event = events.OfferRefused(
        event_time=timestamp(NOW),
        presentation="presentations/1",
        offer="offers/1",
        customer="customers/anna",
        reason=reason,
        language_code="en",
        respond_time=timestamp(NOW - timedelta(days=1)),
    )
    kind = event.DESCRIPTOR.full_name
    recorded = RecordedEvent(uuid4(), kind, b"", metadata, "presentation-1", 1, 7, NOW)
    return Fact(recorded, event)


async def test_the_reason_becomes_feedback_of_the_customer() -> None:
    """What is recorded are the customer's words, at his time, under the presentation's name."""
    listener, fact = Listener(), refused()
    await RefusalsBecomeFeedback(listener).react(fact)
    ((said, cause),) = listener.heard
    assert said == feedback_api.RecordFeedbackRequest(
        customer="customers/anna",
        channel=feedback_events.CHANNEL_OFFER_RESPONSE,
        language_code="en",
        text="Too dear",
        receive_time=timestamp(NOW - timedelta(days=1)),
        source="offers",
        source_id="presentations/1",
        request_id=str(cause.id),
    )


async def test_a_reaction_repeated_is_the_same_request() -> None:
    """The request id follows from the event, and from no other."""
    listener, fact = Listener(), refused()
    policy = RefusalsBecomeFeedback(listener)
    for each in (fact, fact, refused()):
        await policy.react(each)
    first, again, other = (UUID(said.request_id) for said, _ in listener.heard)
    assert first == again != other


async def test_cause_and_trace_go_along() -> None:
    """The event is the cause; correlation, trace and actor are those of the refusal."""
    beside = Metadata(uuid4(), correlation_id="c", traceparent="00-aa-bb-01", actor="otto")
    listener, fact = Listener(), refused(metadata=beside.dump())
    await RefusalsBecomeFeedback(listener).react(fact)
    ((_, cause),) = listener.heard
    assert cause.causation_id == str(fact.recorded.id)
    assert (cause.correlation_id, cause.traceparent, cause.actor) == ("c", "00-aa-bb-01", "otto")


async def test_a_refusal_without_a_reason_says_nothing() -> None:
    """Nobody is told of a refusal in which nothing was said."""
    listener = Listener()
    await RefusalsBecomeFeedback(listener).react(refused(""))
    assert listener.heard == []


async def test_a_peer_that_is_away_is_asked_again() -> None:
    """Nothing is skipped while the feedback service cannot take it down."""
    with pytest.raises(TryAgain):
        await RefusalsBecomeFeedback(Listener(TryAgain("away"))).react(refused())


async def test_a_final_no_is_logged_and_not_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    """What the feedback service will never take is named in the log, and the policy goes on."""
    fact = refused()
    with caplog.at_level(logging.ERROR):
        await RefusalsBecomeFeedback(Listener(Rejected("NOT_FOUND: no such customer"))).react(fact)
    assert str(fact.recorded.id) in caplog.text
    assert "NOT_FOUND: no such customer" in caplog.text
