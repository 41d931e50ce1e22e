"""What may become of a presentation."""

from datetime import datetime, timedelta

import pytest
from equiloop.offers.v1 import events_pb2 as events
from equiloop.offers.v1 import service_pb2 as api

from libs.contract.parse import parse
from libs.kernel.refusals import AlreadyExists, Invalid, NotFound, Refusal
from libs.kernel.times import AHEAD
from libs.kernel.values import timestamp
from services.offers.domain.offer import INITIAL, Offer
from services.offers.domain.presentation import PresentOffer, RecordResponse, decide
from services.offers.service import PRESENTATION
from tests.specs.given import NOW, given

ONE = "presentations/1"
OFFER = "offers/1"
ANNA = "customers/anna"
PULLED = events.OfferDrafted(offer=OFFER, origin=events.ORIGIN_PULLED)
LAUNCHED = Offer(PULLED, "managers/maria", launched=True)
SHOWN = NOW - timedelta(days=2)


def present(offer: Offer = LAUNCHED, time: datetime | None = SHOWN) -> PresentOffer:
    return PresentOffer(presentation=ONE, name=OFFER, customer=ANNA, present_time=time, offer=offer)


def presented(time: datetime = SHOWN) -> events.OfferPresented:
    return events.OfferPresented(
        event_time=timestamp(NOW),
        presentation=ONE,
        offer=OFFER,
        customer=ANNA,
        present_time=timestamp(time),
        origin=events.ORIGIN_PULLED,
    )


def yes(time: datetime | None = None) -> RecordResponse:
    return RecordResponse(name=ONE, answer=api.ANSWER_ACCEPTED, respond_time=time)


def no(reason: str = "", language: str | None = None) -> RecordResponse:
    return RecordResponse(
        name=ONE, answer=api.ANSWER_REFUSED, reason=reason, language_code=language
    )


def accepted(time: datetime = NOW) -> events.OfferAccepted:
    return events.OfferAccepted(
        event_time=timestamp(NOW),
        presentation=ONE,
        offer=OFFER,
        customer=ANNA,
        respond_time=timestamp(time),
    )


def refused(reason: str = "", language: str = "") -> events.OfferRefused:
    return events.OfferRefused(
        event_time=timestamp(NOW),
        presentation=ONE,
        offer=OFFER,
        customer=ANNA,
        reason=reason,
        language_code=language,
        respond_time=timestamp(NOW),
    )


def test_a_launched_offer_is_shown_to_a_customer() -> None:
    """The presentation says when, and where the offer came from."""
    given(PRESENTATION).when(decide, present()).then(presented())
    given(PRESENTATION).when(decide, present(time=None)).then(presented(NOW))


@pytest.mark.parametrize(
    "offer", [Offer(PULLED), Offer(PULLED, "managers/maria")], ids=["drafted", "approved"]
)
def test_only_a_launched_offer_is_shown(offer: Offer) -> None:
    """Neither a draft nor an approved offer reaches a customer."""
    outcome = given(PRESENTATION).when(decide, present(offer))
    outcome.refused(Refusal, "OFFER_NOT_LAUNCHED", offer=OFFER)


def test_there_must_be_an_offer_to_show() -> None:
    """What was never drafted cannot be shown."""
    given(PRESENTATION).when(decide, present(INITIAL)).refused(NotFound, resource=OFFER)


def test_a_presentation_takes_place_once() -> None:
    """The same presentation again is refused."""
    outcome = given(PRESENTATION, presented()).when(decide, present())
    outcome.refused(AlreadyExists, "PRESENTATION_EXISTS", presentation=ONE)


def test_a_customer_takes_the_offer() -> None:
    """A yes is kept with its time, which is now unless it is said."""
    given(PRESENTATION, presented()).when(decide, yes()).then(accepted())
    given(PRESENTATION, presented()).when(decide, yes(SHOWN)).then(accepted(SHOWN))


def test_a_customer_refuses_and_may_say_why() -> None:
    """A no is kept with the customer's words, without the white space around them."""
    given(PRESENTATION, presented()).when(decide, no()).then(refused())
    outcome = given(PRESENTATION, presented()).when(decide, no(" Too dear\n", "en"))
    outcome.then(refused("Too dear", "en"))


@pytest.mark.parametrize("first", [accepted(), refused("Too dear")], ids=["yes", "no"])
@pytest.mark.parametrize("second", [yes(), no(), no("Too dear")], ids=["yes", "no", "why"])
def test_a_customer_answers_once(
    first: events.OfferAccepted | events.OfferRefused, second: RecordResponse
) -> None:
    """Whatever was answered first stands."""
    outcome = given(PRESENTATION, presented(), first).when(decide, second)
    outcome.refused(Refusal, "ALREADY_ANSWERED", presentation=ONE)


def test_nobody_answers_what_was_not_shown() -> None:
    """An answer needs a presentation."""
    given(PRESENTATION).when(decide, yes()).refused(NotFound, resource=ONE)


def test_an_answer_follows_its_presentation() -> None:
    """An answer before the offer was shown is refused; one with it is not."""
    early = yes(SHOWN - timedelta(microseconds=1))
    outcome = given(PRESENTATION, presented()).when(decide, early)
    outcome.refused(Refusal, "RESPONSE_BEFORE_PRESENTATION", presentation=ONE)
    ahead = NOW + timedelta(hours=1)
    given(PRESENTATION, presented(ahead)).when(decide, yes()).then(accepted(ahead))


def test_nothing_is_told_before_it_happens() -> None:
    """A day ahead passes for clocks and time zones; any more is refused."""
    limit, over = NOW + AHEAD, NOW + AHEAD + timedelta(microseconds=1)
    given(PRESENTATION).when(decide, present(time=limit)).then(presented(limit))
    given(PRESENTATION).when(decide, present(time=over)).refused(Invalid)
    given(PRESENTATION, presented()).when(decide, yes(limit)).then(accepted(limit))
    given(PRESENTATION, presented()).when(decide, yes(over)).refused(Invalid)


@pytest.mark.parametrize("answer", [accepted(), refused()], ids=["yes", "no"])
def test_the_last_change_is_known(answer: events.OfferAccepted | events.OfferRefused) -> None:
    """The answer moves the time of the last change."""
    answer.event_time.CopyFrom(timestamp(NOW + timedelta(days=1)))
    assert given(PRESENTATION, presented()).state.changed == timestamp(NOW)
    assert given(PRESENTATION, presented(), answer).state.changed == answer.event_time


def test_only_a_refusal_has_a_reason() -> None:
    """A reason beside a yes is refused at its field; blank words are none."""
    message = api.RecordResponseRequest(name=ONE, answer=api.ANSWER_ACCEPTED, reason="Lovely")
    with pytest.raises(Invalid, match=r"^reason: "):
        parse(RecordResponse, message)
    message.reason = "  "
    assert parse(RecordResponse, message).reason == ""


def test_every_wrong_field_of_an_answer_is_named() -> None:
    """All violations come at once, each with its path."""
    message = api.RecordResponseRequest(
        name="1", reason="x" * 10_001, language_code="English!", etag="x"
    )
    with pytest.raises(Invalid) as caught:
        parse(RecordResponse, message)
    assert {violation.field for violation in caught.value.violations} == {
        "name",
        "answer",
        "reason",
        "language_code",
        "etag",
    }
