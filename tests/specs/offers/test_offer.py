"""What may become of an offer."""

from datetime import timedelta
from typing import Any

import pytest
from equiloop.offers.v1 import events_pb2 as events
from equiloop.offers.v1 import service_pb2 as api

from libs.contract.parse import parse
from libs.kernel.money import Money, to_message
from libs.kernel.refusals import AlreadyExists, Invalid, NotFound, Refusal
from libs.kernel.values import timestamp
from services.offers.domain.offer import ApproveOffer, DraftOffer, LaunchOffer, decide
from services.offers.service import OFFER
from tests.specs.given import NOW, given

ONE = "offers/1"
APPROVE = ApproveOffer(name=ONE, customer_manager="managers/maria")
LAUNCH = LaunchOffer(name=ONE)


def drafted(**other: Any) -> events.OfferDrafted:
    content: dict[str, Any] = {
        "event_time": timestamp(NOW),
        "offer": ONE,
        "title": "Headphones",
        "origin": events.ORIGIN_PUSH,
    }
    return events.OfferDrafted(**content | other)


def approved() -> events.OfferApproved:
    return events.OfferApproved(
        event_time=timestamp(NOW), offer=ONE, customer_manager="managers/maria"
    )


def launched() -> events.OfferLaunched:
    return events.OfferLaunched(event_time=timestamp(NOW), offer=ONE)


def test_an_offer_that_nobody_asked_for_is_push() -> None:
    """Without feedback or needs behind it, the draft says so."""
    given(OFFER).when(decide, DraftOffer(offer=ONE, title="Headphones")).then(drafted())


@pytest.mark.parametrize(
    "because",
    [
        {"feedback": ("feedback/1",)},
        {"needs": ("needs/1",)},
        {"feedback": ("feedback/1",), "needs": ("needs/1",)},
    ],
    ids=["feedback", "needs", "both"],
)
def test_an_offer_that_answers_somebody_is_pulled(because: dict[str, Any]) -> None:
    """Feedback or a need behind it pulls the offer."""
    command = DraftOffer(offer=ONE, title="Headphones", **because)
    given(OFFER).when(decide, command).then(drafted(origin=events.ORIGIN_PULLED, **because))


def test_a_draft_keeps_price_and_reasons() -> None:
    """Price and description are kept, references once each and in order."""
    command = DraftOffer(
        offer=ONE,
        title="Headphones",
        description="They fit",
        price=Money(currency_code="EUR", minor=4950),
        feedback=("feedback/2", "feedback/1", "feedback/2"),
    )
    expected = drafted(
        description="They fit",
        price=to_message(4950, "EUR"),
        feedback=["feedback/1", "feedback/2"],
        origin=events.ORIGIN_PULLED,
    )
    given(OFFER).when(decide, command).then(expected)


def test_an_offer_is_drafted_once() -> None:
    """A second draft under the same name is refused."""
    command = DraftOffer(offer=ONE, title="Headphones")
    given(OFFER, drafted()).when(decide, command).refused(AlreadyExists, "OFFER_EXISTS", offer=ONE)


def test_a_customer_manager_approves_a_draft() -> None:
    """The approval names who stands for it."""
    given(OFFER, drafted()).when(decide, APPROVE).then(approved())


def test_an_offer_is_approved_once() -> None:
    """A second approval is refused, and says who came first."""
    otto = ApproveOffer(name=ONE, customer_manager="managers/otto")
    for happened in ([drafted(), approved()], [drafted(), approved(), launched()]):
        given(OFFER, *happened).when(decide, otto).refused(
            Refusal, "OFFER_ALREADY_APPROVED", offer=ONE, customer_manager="managers/maria"
        )


def test_no_launch_without_an_approval() -> None:
    """A draft is launched only after a customer manager has approved it."""
    given(OFFER, drafted()).when(decide, LAUNCH).refused(Refusal, "OFFER_NOT_APPROVED", offer=ONE)
    given(OFFER, drafted(), approved()).when(decide, LAUNCH).then(launched())


def test_an_offer_is_launched_once() -> None:
    """A second launch is refused."""
    happened = drafted(), approved(), launched()
    given(OFFER, *happened).when(decide, LAUNCH).refused(
        Refusal, "OFFER_ALREADY_LAUNCHED", offer=ONE
    )


def test_the_last_change_is_known() -> None:
    """Each step moves the time of the last change."""
    steps: list[Any] = [drafted(), approved(), launched()]
    for count, event in enumerate(steps, 1):
        event.event_time.CopyFrom(timestamp(NOW + timedelta(days=count)))
        assert given(OFFER, *steps[:count]).state.changed == event.event_time


@pytest.mark.parametrize("command", [APPROVE, LAUNCH], ids=["approve", "launch"])
def test_an_offer_must_be_drafted_to_go_on(command: ApproveOffer | LaunchOffer) -> None:
    """Nothing happens to an offer that was never drafted."""
    given(OFFER).when(decide, command).refused(NotFound, resource=ONE)


def test_every_wrong_field_of_a_draft_is_named() -> None:
    """All violations come at once, each with its path."""
    message = api.DraftOfferRequest(
        title=" ",
        description="x" * 5001,
        price=to_message(-1, "EUR"),
        feedback=["feedback/1", "needs/1"],
        needs=["feedback/1"],
        request_id="7",
    )
    with pytest.raises(Invalid) as caught:
        parse(DraftOffer, message, offer=ONE)
    assert {violation.field for violation in caught.value.violations} == {
        "title",
        "description",
        "price",
        "feedback[1]",
        "needs[0]",
        "request_id",
    }


def test_the_bounds_of_a_draft() -> None:
    """A title of 200 characters and a price of nothing pass; one character more does not."""
    message = api.DraftOfferRequest(title="x" * 200, price=to_message(0, "EUR"))
    price = parse(DraftOffer, message, offer=ONE).price
    assert price == Money(currency_code="EUR", minor=0)
    message.title += "x"
    with pytest.raises(Invalid, match=r"^title: "):
        parse(DraftOffer, message, offer=ONE)


def test_at_most_a_thousand_references() -> None:
    """One more feedback item than a draft can answer is refused."""
    names = [f"feedback/{number}" for number in range(1001)]
    assert len(DraftOffer(offer=ONE, title="x", feedback=tuple(names[1:])).feedback) == 1000
    with pytest.raises(Invalid, match=r"feedback: .* 1000"):
        parse(DraftOffer, api.DraftOfferRequest(title="x", feedback=names), offer=ONE)
