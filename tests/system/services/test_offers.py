"""Offers as callers of the service meet them: a real process, over gRPC."""

from typing import Any
from uuid import uuid4

import grpc
import pytest
from equiloop.feedback.v1 import events_pb2 as feedback_events
from equiloop.feedback.v1 import service_pb2 as feedback_api
from equiloop.offers.v1 import events_pb2 as events
from equiloop.offers.v1 import service_pb2 as api

from libs.kernel.money import to_message
from tests.system.services.acts import BOUGHT, launched, register
from tests.system.services.processes import Refused, Services, position, refused, unique

NOT_FOUND = grpc.StatusCode.NOT_FOUND
INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
MARIA = "managers/maria"


def draft(services: Services, **fields: Any) -> api.Offer:
    return services.offers.DraftOffer(api.DraftOfferRequest(**{"title": "Headphones", **fields}))


def approve(services: Services, name: str, **fields: Any) -> api.Offer:
    request = api.ApproveOfferRequest(name=name, **{"customer_manager": MARIA, **fields})
    return services.offers.ApproveOffer(request)


def launch(services: Services, name: str, **fields: Any) -> api.Offer:
    return services.offers.LaunchOffer(api.LaunchOfferRequest(name=name, **fields))


def present(services: Services, name: str, customer: str, **fields: Any) -> api.Presentation:
    request = api.PresentOfferRequest(name=name, customer=customer, **fields)
    return services.offers.PresentOffer(request)


def respond(services: Services, name: str, answer: Any, **fields: Any) -> api.Presentation:
    request = api.RecordResponseRequest(name=name, answer=answer, **fields)
    return services.offers.RecordResponse(request)


def said(services: Services) -> str:
    """Feedback of nobody in particular."""
    request = feedback_api.RecordFeedbackRequest(
        channel=feedback_events.CHANNEL_WEB, text="It squeaks"
    )
    return services.feedback.RecordFeedback(request).name


# From draft to launch


def test_a_draft_says_who_wanted_it_first(services: Services) -> None:
    """With known feedback behind it an offer is pulled, with nothing it is push."""
    feedback = said(services)
    pulled = draft(services, feedback=[feedback], price=to_message(4950, "EUR"), description="Fit")
    assert pulled == api.Offer(
        name=pulled.name,
        title="Headphones",
        description="Fit",
        price=to_message(4950, "EUR"),
        feedback=[feedback],
        origin=events.ORIGIN_PULLED,
        state=api.OFFER_STATE_DRAFT,
        create_time=pulled.create_time,
        update_time=pulled.create_time,
        etag="0",
    )
    assert services.offers.GetOffer(api.GetOfferRequest(name=pulled.name)) == pulled
    push = draft(services)
    assert push.origin == events.ORIGIN_PUSH
    assert not push.HasField("price")


def test_a_draft_answers_only_feedback_that_was_given(services: Services) -> None:
    """Unknown feedback is NOT_FOUND, and the field that named it is told."""
    nowhere = f"feedback/{unique('none')}"
    how = refused(lambda: draft(services, feedback=[said(services), nowhere]))
    assert how == Refused(NOT_FOUND, "NOT_FOUND", {"resource": nowhere, "field": "feedback"})


def test_every_wrong_field_of_a_draft_is_named(services: Services) -> None:
    """A draft that is wrong in many ways is refused once, completely."""
    how = refused(
        lambda: draft(services, title="", price=to_message(-1, "EUR"), needs=["x"], request_id="7")
    )
    assert how.code == INVALID
    assert how.fields.keys() == {"title", "price", "needs[0]", "request_id"}


def test_an_offer_is_approved_then_launched(services: Services) -> None:
    """Each step shows in the offer, and no step can be left out or taken twice."""
    name = draft(services).name
    early = refused(lambda: launch(services, name))
    assert early == Refused(PRECONDITION, "OFFER_NOT_APPROVED", {"offer": name})
    approved = approve(services, name, etag="0")
    assert (approved.state, approved.approved_by) == (api.OFFER_STATE_APPROVED, MARIA)
    twice = refused(lambda: approve(services, name, customer_manager="managers/otto"))
    assert twice == Refused(
        PRECONDITION, "OFFER_ALREADY_APPROVED", {"offer": name, "customer_manager": MARIA}
    )
    stale = refused(lambda: launch(services, name, etag="0"))
    assert (stale.code, stale.reason) == (grpc.StatusCode.ABORTED, "STALE_ETAG")
    assert stale.figures["etag"] == "1"
    done = launch(services, name, etag="1")
    assert (done.state, done.etag) == (api.OFFER_STATE_LAUNCHED, "2")
    again = refused(lambda: launch(services, name))
    assert again == Refused(PRECONDITION, "OFFER_ALREADY_LAUNCHED", {"offer": name})


def test_a_request_id_gives_the_first_answer(services: Services) -> None:
    """A step repeated under its request id is taken once and answered as it was then."""
    one, two = str(uuid4()), str(uuid4())
    drafted = draft(services, request_id=one)
    approved = approve(services, drafted.name, request_id=two)
    launch(services, drafted.name)
    assert draft(services, request_id=one) == drafted
    assert approve(services, drafted.name, request_id=two) == approved
    for other in (
        lambda: draft(services, request_id=one, title="Something else"),
        lambda: approve(services, drafted.name, request_id=two, customer_manager="managers/otto"),
    ):
        how = refused(other)
        assert (how.code, how.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


@pytest.mark.parametrize("name", ["offers/none", "presentations/none", "", "offers/"])
def test_what_is_not_there_is_not_found(services: Services, name: str) -> None:
    """An unknown name, one of another collection, and none at all are NOT_FOUND."""
    ask = services.offers.GetOffer
    how = refused(lambda: ask(api.GetOfferRequest(name=name)))
    assert how == Refused(NOT_FOUND, "NOT_FOUND", {"resource": name})


# Presentations


def test_a_launched_offer_is_shown_and_answered(services: Services) -> None:
    """The answer is kept with the presentation, once."""
    offer, customer = launched(services), register(services).name
    shown = present(services, offer.name, customer, present_time=BOUGHT)
    assert shown == api.Presentation(
        name=shown.name,
        offer=offer.name,
        customer=customer,
        present_time=BOUGHT,
        create_time=shown.create_time,
        update_time=shown.create_time,
        etag="0",
    )
    answered = respond(services, shown.name, api.ANSWER_ACCEPTED, respond_time=BOUGHT, etag="0")
    assert (answered.answer, answered.respond_time) == (api.ANSWER_ACCEPTED, BOUGHT)
    ask = api.GetPresentationRequest(name=shown.name)
    assert services.offers.GetPresentation(ask) == answered
    how = refused(lambda: respond(services, shown.name, api.ANSWER_REFUSED))
    assert how == Refused(PRECONDITION, "ALREADY_ANSWERED", {"presentation": shown.name})


def test_a_presentation_needs_a_launched_offer_and_a_known_customer(services: Services) -> None:
    """What is missing is told: the offer, its launch, or the customer."""
    customer, offer = register(services).name, launched(services).name
    nowhere, nobody = "offers/" + unique("none"), "customers/" + unique("nobody")
    drafted = draft(services).name
    no_offer = refused(lambda: present(services, nowhere, customer))
    assert no_offer == Refused(NOT_FOUND, "NOT_FOUND", {"resource": nowhere})
    not_yet = refused(lambda: present(services, drafted, customer))
    assert not_yet == Refused(PRECONDITION, "OFFER_NOT_LAUNCHED", {"offer": drafted})
    no_customer = refused(lambda: present(services, offer, nobody))
    assert no_customer == Refused(NOT_FOUND, "NOT_FOUND", {"resource": nobody, "field": "customer"})
    wrong = refused(lambda: present(services, offer, "anna", request_id="7"))
    assert (wrong.code, set(wrong.fields)) == (INVALID, {"customer", "request_id"})


def test_an_offer_is_shown_once_for_a_request(services: Services) -> None:
    """The same request shows nothing a second time; another one does."""
    offer, customer, request_id = launched(services).name, register(services).name, str(uuid4())
    first = present(services, offer, customer, request_id=request_id)
    respond(services, first.name, api.ANSWER_ACCEPTED)
    assert present(services, offer, customer, request_id=request_id) == first
    assert present(services, offer, customer).name != first.name


def test_an_answer_must_make_sense(services: Services) -> None:
    """A reason beside a yes, an answer to nothing, and a stale etag are refused."""
    shown = present(services, launched(services).name, register(services).name)
    reason = refused(lambda: respond(services, shown.name, api.ANSWER_ACCEPTED, reason="Nice"))
    assert (reason.code, set(reason.fields)) == (INVALID, {"reason"})
    nothing = refused(lambda: respond(services, shown.name, api.ANSWER_UNSPECIFIED))
    assert (nothing.code, set(nothing.fields)) == (INVALID, {"answer"})
    nowhere = f"presentations/{unique('none')}"
    absent = refused(lambda: respond(services, nowhere, api.ANSWER_ACCEPTED))
    assert absent == Refused(NOT_FOUND, "NOT_FOUND", {"resource": nowhere})
    stale = refused(lambda: respond(services, shown.name, api.ANSWER_ACCEPTED, etag="7"))
    assert stale.code == grpc.StatusCode.ABORTED


# The book


def test_the_book_counts_presentations_and_answers(services: Services) -> None:
    """Pages of the list show every offer once, as drafted, with how customers answered."""
    first, second = launched(services), draft(services)
    pulled = draft(services, feedback=[said(services)])
    for answer in (api.ANSWER_ACCEPTED, api.ANSWER_REFUSED, api.ANSWER_REFUSED, None):
        shown = present(services, first.name, register(services).name)
        if answer is not None:
            request = api.RecordResponseRequest(name=shown.name, answer=answer)
            _, call = services.offers.RecordResponse.with_call(request)
    present_ = api.PresentOfferRequest(name=first.name, customer=register(services).name)
    _, call = services.offers.PresentOffer.with_call(present_)

    def listed(**by: Any) -> list[api.OfferSummary]:
        found: list[api.OfferSummary] = []
        token = None
        while token != "":
            asked = api.ListOffersRequest(page_token=token or "", **by)
            page = services.offers.ListOffers(asked, metadata=position(call))
            found += page.offers
            token = page.next_page_token
        return found

    book = listed(page_size=2)
    names = [line.offer.name for line in book]
    assert len(names) == len(set(names))
    assert [line.offer.name for line in listed()] == names
    assert names[-3:] == [first.name, second.name, pulled.name]
    line = book[-3]
    assert (line.presented_count, line.accepted_count, line.refused_count) == (5, 1, 2)
    assert line.offer.state == api.OFFER_STATE_LAUNCHED
    origins = {line.offer.origin for line in listed(origin=events.ORIGIN_PULLED)}
    assert origins == {events.ORIGIN_PULLED}
    wrong = api.ListOffersRequest(page_size=-1)
    assert refused(lambda: services.offers.ListOffers(wrong)).fields.keys() == {"page_size"}
