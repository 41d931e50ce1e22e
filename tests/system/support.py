"""What the system tests share: stubs on one channel, REST as curl speaks it, errors taken apart."""

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from equiloop.customers.v1.organisation_service_pb2_grpc import OrganisationServiceStub
from equiloop.customers.v1.service_pb2_grpc import CustomerServiceStub
from equiloop.feedback.v1.service_pb2_grpc import FeedbackServiceStub
from equiloop.metrics.v1.service_pb2_grpc import MetricsServiceStub
from equiloop.offers.v1.service_pb2_grpc import OfferServiceStub
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status


@dataclass(frozen=True)
class Stubs:
    """A stub of each service, on one channel."""

    channel: grpc.Channel
    customers: CustomerServiceStub
    organisation: OrganisationServiceStub
    feedback: FeedbackServiceStub
    offers: OfferServiceStub
    metrics: MetricsServiceStub


@contextmanager
def stubs(address: str) -> Iterator[Stubs]:
    """Open a channel to `address`, the gateway's or one service's."""
    with grpc.insecure_channel(address) as channel:
        yield Stubs(
            channel,
            CustomerServiceStub(channel),
            OrganisationServiceStub(channel),
            FeedbackServiceStub(channel),
            OfferServiceStub(channel),
            MetricsServiceStub(channel),
        )


@dataclass(frozen=True)
class Rest:
    """An answer over HTTP."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.text)


def rest(
    address: str,
    method: str,
    path: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> Rest:
    """Send a request as curl would; `body` is sent as JSON unless it is a string."""
    text = body if isinstance(body, str) or body is None else json.dumps(body)
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request(method, path, text, {**(headers or {})})
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Rest(response.status, found, response.read().decode())
    finally:
        connection.close()


def failure(call: Callable[[], object]) -> grpc.RpcError:
    """Make a call that must fail, and answer its error."""
    try:
        answer = call()
    except grpc.RpcError as error:
        return error
    message = f"the call should have failed, but answered {answer}"
    raise AssertionError(message)


def code_of(error: grpc.RpcError) -> grpc.StatusCode:
    """Answer the code of a failed call."""
    assert isinstance(error, grpc.Call)
    return error.code()


def details_of(error: grpc.RpcError) -> str:
    """Answer the message of a failed call."""
    assert isinstance(error, grpc.Call)
    return error.details() or ""


def status_of(error: grpc.RpcError) -> Status:
    """Answer the google.rpc.Status of a failed call; AssertionError when it brought none."""
    assert isinstance(error, grpc.Call)
    status = rpc_status.from_call(error)
    assert status is not None, f"no details: {error}"
    assert isinstance(status, Status)
    return status


def reason_of(status: Status) -> str:
    """Answer the reason of the one ErrorInfo, which must be ours."""
    infos = [detail for detail in status.details if detail.Is(ErrorInfo.DESCRIPTOR)]
    assert len(infos) == 1
    info = ErrorInfo()
    infos[0].Unpack(info)
    assert info.domain == "equiloop"
    return info.reason
