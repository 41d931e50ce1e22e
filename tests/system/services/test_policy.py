"""A refusal with a reason reaches the feedback service: exactly once, whoever falls over."""

import asyncio
import shutil
from collections.abc import Callable
from uuid import UUID

import pytest
from equiloop.feedback.v1 import events_pb2 as feedback_events
from equiloop.feedback.v1 import service_pb2 as feedback_api
from equiloop.offers.v1 import service_pb2 as api

from libs.contract.metadata import Metadata
from libs.eventstore.connect import connect
from libs.eventstore.port import RecordedEvent
from tests.system.services.acts import launched, register
from tests.system.services.processes import Services, eventually

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def refuse(services: Services, reason: str) -> api.Presentation:
    """A new customer refuses a new offer."""
    request = api.PresentOfferRequest(
        name=launched(services).name, customer=register(services).name
    )
    shown = services.offers.PresentOffer(request)
    answer = api.RecordResponseRequest(
        name=shown.name, answer=api.ANSWER_REFUSED, reason=reason, language_code="en"
    )
    context = (("traceparent", TRACE), ("equiloop-actor", "otto"))
    return services.offers.RecordResponse(answer, metadata=context)


def heard(services: Services, customer: str) -> list[feedback_api.Feedback]:
    """What the feedback service has of a customer."""
    request = feedback_api.ListFeedbackRequest(customer=customer)
    return list(services.feedback.ListFeedback(request).feedback)


def test_a_reason_becomes_feedback(services: Services) -> None:
    """The customer's words stand in his feedback, with their time, language and source."""
    refused = refuse(services, "Too dear for what it does")
    eventually(lambda: heard(services, refused.customer))
    (feedback,) = heard(services, refused.customer)
    assert feedback.channel == feedback_events.CHANNEL_OFFER_RESPONSE
    assert (feedback.text, feedback.language_code) == (refused.reason, "en")
    assert feedback.receive_time == refused.respond_time
    assert (feedback.source, feedback.source_id) == ("offers", refused.name)


def test_trace_and_actor_go_along(services: Services) -> None:
    """The event of the feedback is of the trace in which the customer answered."""
    refused = refuse(services, "Too loud")
    eventually(lambda: heard(services, refused.customer))
    (feedback,) = heard(services, refused.customer)
    (received,) = asyncio.run(_stream(services, feedback.name.replace("/", "-")))
    metadata = Metadata.load(received.metadata)
    assert metadata is not None
    assert (metadata.traceparent, metadata.actor) == (TRACE, "otto")


async def _stream(services: Services, stream: str) -> list[RecordedEvent]:
    store = await connect(services.settings.store_url)
    try:
        return [
            event async for batch in store.read_stream(stream, start=0) for event in batch.events
        ]
    finally:
        await store.close()


def test_a_refusal_without_a_reason_is_not_feedback(services: Services) -> None:
    """Nothing was said, so nothing is heard, not even after a later refusal was."""
    silent, later = refuse(services, ""), refuse(services, "Too late")
    eventually(lambda: heard(services, later.customer))
    assert heard(services, silent.customer) == []


def _kill_offers(services: Services) -> None:
    services.kill("offers")


def _forget_checkpoint(services: Services) -> None:
    services.stop("offers")
    shutil.rmtree(services.settings.data / "offers-policy")


@pytest.mark.parametrize("befalls", [_kill_offers, _forget_checkpoint], ids=["killed", "forgetful"])
def test_it_is_heard_exactly_once(services: Services, befalls: Callable[[Services], None]) -> None:
    """Offers fall over while feedback is away, and later start over: each word is heard once."""
    before = refuse(services, "Too small")
    eventually(lambda: heard(services, before.customer))
    services.stop("feedback")
    waiting = refuse(services, "Too big")
    befalls(services)
    services.start("offers", "feedback")
    after = refuse(services, "Too round")  # heard last: the policy goes through the log in order
    eventually(lambda: heard(services, after.customer))
    for said in (before, waiting, after):
        (feedback,) = heard(services, said.customer)
        assert feedback.text == said.reason
        assert UUID(feedback.name.removeprefix("feedback/")).version == 5
