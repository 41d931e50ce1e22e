"""A real server on a free port whose methods answer as a test says, and a client of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
from equiloop.feedback.v1 import service_pb2 as api
from equiloop.feedback.v1 import service_pb2_grpc as feedback_grpc
from equiloop.metrics.v1 import service_pb2 as metrics_api
from equiloop.metrics.v1 import service_pb2_grpc as metrics_grpc
from google.rpc import error_details_pb2 as details
from grpc_status import rpc_status

from libs.chassis.handlers import Wait, Wrapper
from libs.chassis.server import Server
from libs.chassis.settings import Settings
from libs.telemetry import Telemetry

Answer = Callable[[Any], Awaitable[Any]]
Replies = Callable[[Any], AsyncIterator[metrics_api.WatchCustomerEquityResponse]]


async def _greet(_: Any) -> api.Feedback:
    return api.Feedback(text="hello")


async def _reached(_: int) -> None:
    """Be as far as anybody asks."""


class Feedback(feedback_grpc.FeedbackServiceServicer):
    """One answer to a query, a mutation and a stream of requests."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def GetFeedback(self, request: Any, _: Any) -> Any:  # noqa: N802
        return await self._answer(request)

    async def RecordFeedback(self, request: Any, _: Any) -> Any:  # noqa: N802
        return await self._answer(request)


class Metrics(metrics_grpc.MetricsServiceServicer):
    """A stream of replies."""

    def __init__(self, replies: Replies) -> None:
        self._replies = replies

    async def WatchCustomerEquity(self, request: Any, _: Any) -> Any:  # noqa: N802
        async for reply in self._replies(request):
            yield reply


async def _nothing(_: Any) -> AsyncIterator[metrics_api.WatchCustomerEquityResponse]:
    silence: list[metrics_api.WatchCustomerEquityResponse] = []
    for reply in silence:
        yield reply


@dataclass(frozen=True)
class Running:
    """The server and a channel to it."""

    server: Server
    address: str
    channel: grpc.aio.Channel

    async def get(self, **options: Any) -> api.Feedback:
        """Ask (a query)."""
        stub = feedback_grpc.FeedbackServiceStub(self.channel)
        return await stub.GetFeedback(api.GetFeedbackRequest(), **options)

    def record(self, text: str = "", **options: Any) -> Any:
        """Change something (a mutation): the call, to be awaited."""
        stub = feedback_grpc.FeedbackServiceStub(self.channel)
        return stub.RecordFeedback(api.RecordFeedbackRequest(text=text), **options)

    def watch(self, **options: Any) -> Any:
        """Ask for a stream: the call, to be read."""
        stub = metrics_grpc.MetricsServiceStub(self.channel)
        return stub.WatchCustomerEquity(metrics_api.WatchCustomerEquityRequest(), **options)


@asynccontextmanager
async def serving(
    answer: Answer = _greet,
    replies: Replies = _nothing,
    *,
    wait: Wait = _reached,
    telemetry: Telemetry | None = None,
    **settings: Any,
) -> AsyncIterator[Running]:
    """Run a server for as long as the context lasts."""
    chosen = Settings(**{"drain": 0, **settings})
    wrapper = Wrapper(telemetry or Telemetry("test"), chosen.deadline, wait, chosen.max_concurrent)
    feedback = Feedback(answer)  # type: ignore[abstract] # the rest is UNIMPLEMENTED
    metrics = Metrics(replies)  # type: ignore[abstract]
    register = [
        partial(feedback_grpc.add_FeedbackServiceServicer_to_server, feedback),
        partial(metrics_grpc.add_MetricsServiceServicer_to_server, metrics),
    ]
    server = Server(chosen, wrapper, register)
    address = f"127.0.0.1:{await server.start('127.0.0.1:0')}"
    async with grpc.aio.insecure_channel(address) as channel:
        try:
            yield Running(server, address, channel)
        finally:
            await server.drain()


@dataclass(frozen=True)
class Refused:
    """What a client was told: the status code, the message, and the details by their type."""

    code: grpc.StatusCode
    message: str
    info: details.ErrorInfo
    fields: dict[str, str]
    retry: bool
    request_id: str


async def refused(call: Awaitable[Any]) -> Refused:
    """Require that ``call`` is refused, with exactly one ErrorInfo, and answer how."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return told(error)
    raise AssertionError(f"not refused, but answered: {answer}")


def told(error: grpc.aio.AioRpcError) -> Refused:
    """Read the details of an error."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status is not None, f"no details: {error}"
    found: dict[str, list[Any]] = {}
    for packed in status.details:
        kind = getattr(details, packed.TypeName().removeprefix("google.rpc."))
        message = kind.FromString(packed.value)
        found.setdefault(kind.DESCRIPTOR.name, []).append(message)
    (info,) = found["ErrorInfo"]
    assert info.domain == "equiloop"
    fields = {
        violation.field: violation.description
        for bad in found.get("BadRequest", [])
        for violation in bad.field_violations
    }
    ids = [each.request_id for each in found.get("RequestInfo", [])]
    return Refused(error.code(), error.details() or "", info, fields, "RetryInfo" in found, *ids)
