"""Reactions: when a customer refuses an offer and says why, what was said becomes feedback."""

import logging
from typing import Protocol
from uuid import uuid5

import grpc
from equiloop.feedback.v1 import events_pb2 as feedback_events
from equiloop.feedback.v1 import service_pb2 as feedback_api
from equiloop.feedback.v1.service_pb2_grpc import FeedbackServiceStub
from equiloop.offers.v1 import events_pb2 as events
from google.protobuf.message import Message

from libs.chassis.client import TIMEOUT, metadata
from libs.contract.metadata import Metadata
from libs.decider import Request
from libs.eventstore.port import RecordedEvent
from libs.projection import Fact
from libs.projection.reactor import TryAgain

log = logging.getLogger(__name__)

SOURCE = "offers"
"""What the feedback service knows us by; the id beside it is the presentation's name."""


class Rejected(Exception):
    """The feedback service will never take this, however often it is asked."""


class FeedbackPort(Protocol):
    """Somebody who takes down what customers say."""

    async def record(self, said: feedback_api.RecordFeedbackRequest, cause: Request) -> None:
        """Take down ``said``, once for each request_id.

        Raises TryAgain when that cannot be done now, Rejected when it never can.
        """
        ...


class RefusalsBecomeFeedback:
    """OfferRefused with a reason → RecordFeedback."""

    handles: frozenset[type[Message]] = frozenset({events.OfferRefused})

    def __init__(self, feedback: FeedbackPort) -> None:
        """Have the reasons taken down by ``feedback``."""
        self._feedback = feedback

    async def react(self, fact: Fact) -> None:
        """Pass on what the customer said. Raises TryAgain."""
        refused = fact.event
        assert isinstance(refused, events.OfferRefused)
        if not refused.reason:
            return
        cause = _cause(fact.recorded)
        said = feedback_api.RecordFeedbackRequest(
            customer=refused.customer,
            channel=feedback_events.CHANNEL_OFFER_RESPONSE,
            language_code=refused.language_code,
            text=refused.reason,
            receive_time=refused.respond_time,
            source=SOURCE,
            source_id=refused.presentation,
            request_id=str(cause.id),
        )
        try:
            await self._feedback.record(said, cause)
        except Rejected as rejected:
            log.error("event %s does not become feedback: %s", fact.recorded.id, rejected)


def _cause(recorded: RecordedEvent) -> Request:
    """Answer the request that an event makes: its id follows from the event's."""
    request_id = uuid5(recorded.id, "RecordFeedback")
    beside = Metadata.load(recorded.metadata)
    if beside is None:
        return Request(request_id, causation_id=str(recorded.id))
    return Request(
        request_id,
        correlation_id=beside.correlation_id,
        causation_id=str(recorded.id),
        traceparent=beside.traceparent,
        actor=beside.actor,
    )


_FOR_EVER = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
}
"""What a peer answers about the request itself. All else is trouble of its own and may pass."""


class FeedbackClient:
    """The feedback service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Reach it over ``channel``."""
        self._feedback = FeedbackServiceStub(channel)

    async def record(self, said: feedback_api.RecordFeedbackRequest, cause: Request) -> None:
        """Send RecordFeedback; that it is there already is as good."""
        try:
            await self._feedback.RecordFeedback(said, timeout=TIMEOUT, metadata=metadata(cause))
        except grpc.aio.AioRpcError as error:
            told = f"{error.code().name}: {error.details()}"
            if error.code() in _FOR_EVER:
                raise Rejected(told) from None
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise TryAgain(told) from None
