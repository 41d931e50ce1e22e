"""The feedback service as the policy meets it: which answers are final, and which may pass."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import grpc
import pytest
from equiloop.feedback.v1 import service_pb2 as api

from libs.chassis.client import channel
from libs.decider import Request
from libs.projection.reactor import TryAgain
from services.offers.policy import FeedbackClient, Rejected

Code = grpc.StatusCode
SAID = api.RecordFeedbackRequest(text="Too dear", request_id=str(uuid4()))


class Service:
    """Answers as it is told, and remembers what it was sent."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self.code = code
        self.heard: list[api.RecordFeedbackRequest] = []
        self.metadata: dict[str, str | bytes] = {}

    async def record(self, request: api.RecordFeedbackRequest, context: Any) -> api.Feedback:
        self.heard.append(request)
        self.metadata = dict(context.invocation_metadata())
        if self.code is not Code.OK:
            await context.abort(self.code, "because")
        return api.Feedback()


@asynccontextmanager
async def serving(service: Service) -> AsyncIterator[Callable[[Request], Awaitable[None]]]:
    handler = grpc.unary_unary_rpc_method_handler(
        service.record, api.RecordFeedbackRequest.FromString, api.Feedback.SerializeToString
    )
    name = "equiloop.feedback.v1.FeedbackService"
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(name, {"RecordFeedback": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    peer = channel(f"127.0.0.1:{port}")
    try:
        client = FeedbackClient(peer)
        yield lambda cause: client.record(SAID, cause)
    finally:
        await peer.close()
        await server.stop(None)


async def test_what_was_said_is_sent_with_its_trace() -> None:
    """The request arrives as it is; actor and trace go beside it."""
    service = Service(Code.OK)
    async with serving(service) as record:
        await record(Request(traceparent="00-aa-bb-01", actor="otto"))
    assert service.heard == [SAID]
    assert service.metadata["traceparent"] == "00-aa-bb-01"
    assert service.metadata["equiloop-actor"] == "otto"


async def test_what_is_there_already_is_as_good() -> None:
    """Feedback that exists is not sent again and is no failure."""
    service = Service(Code.ALREADY_EXISTS)
    async with serving(service) as record:
        await record(Request())
    assert len(service.heard) == 1


@pytest.mark.parametrize(
    "code",
    [Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.FAILED_PRECONDITION, Code.OUT_OF_RANGE],
    ids=lambda code: code.name,
)
async def test_what_is_wrong_with_the_request_is_final(code: grpc.StatusCode) -> None:
    """Asking again would not make the request any better."""
    async with serving(Service(code)) as record:
        with pytest.raises(Rejected, match=f"{code.name}: because"):
            await record(Request())


@pytest.mark.parametrize(
    "code",
    [
        Code.UNAVAILABLE,
        Code.DEADLINE_EXCEEDED,
        Code.RESOURCE_EXHAUSTED,
        Code.ABORTED,
        Code.INTERNAL,
        Code.UNKNOWN,
        Code.UNAUTHENTICATED,
        Code.PERMISSION_DENIED,
    ],
    ids=lambda code: code.name,
)
async def test_what_is_wrong_with_the_service_may_pass(code: grpc.StatusCode) -> None:
    """The customer's words are not lost to somebody else's trouble."""
    async with serving(Service(code)) as record:
        with pytest.raises(TryAgain, match=f"{code.name}: because"):
            await record(Request())
