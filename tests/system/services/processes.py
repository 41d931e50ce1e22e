"""Single services as real processes on one log, to be killed and started again; no gateway."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
from equiloop.customers.v1.organisation_service_pb2_grpc import OrganisationServiceStub
from equiloop.customers.v1.service_pb2_grpc import CustomerServiceStub
from equiloop.feedback.v1.service_pb2_grpc import FeedbackServiceStub
from equiloop.offers.v1.service_pb2_grpc import OfferServiceStub
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RequestInfo
from google.rpc.status_pb2 import Status

from deploy.local.child import Child, python, serving
from deploy.local.settings import LocalSettings, on_free_ports
from tests.system.support import code_of, failure, reason_of, status_of

PATIENCE = 30.0
"""Seconds for something that is waited for to come about."""


class Services:
    """Processes of services that share a directory, and stubs that reach them."""

    def __init__(self, settings: LocalSettings, stack: ExitStack) -> None:
        """End processes and channels with ``stack``."""
        self.settings = settings
        self._stack = stack
        self._children: dict[str, Child] = {}
        self._channels: dict[str, grpc.Channel] = {}
        self.customers = CustomerServiceStub(self._channel("customers"))
        self.organisation = OrganisationServiceStub(self._channel("customers"))
        self.feedback = FeedbackServiceStub(self._channel("feedback"))
        self.offers = OfferServiceStub(self._channel("offers"))

    def start(self, *names: str) -> None:
        """Start services and wait until they are healthy."""
        for name in names:
            probe = serving(getattr(self.settings, name))
            log = self.settings.logs / f"{name}.log"
            child = Child(name, python(f"services.{name}"), probe, log)
            child.start(self.settings.environment())
            self._children[name] = child
        for name in names:
            eventually(self._children[name].healthy)
            # A channel may still believe that nobody is there.
            grpc.channel_ready_future(self._channels[name]).result(PATIENCE)

    def stop(self, name: str) -> None:
        """End a service as an operator does."""
        self._children[name].terminate()
        self._children.pop(name).wait(time.monotonic() + PATIENCE)

    def kill(self, name: str) -> None:
        """End a service as the machine does."""
        os.kill(self._children[name].pid, signal.SIGKILL)
        self._children.pop(name).wait(time.monotonic() + PATIENCE)

    def stop_all(self) -> None:
        """End every service that still runs."""
        for name in list(self._children):
            self.stop(name)

    def _channel(self, name: str) -> grpc.Channel:
        address = getattr(self.settings, name)
        quick = (("grpc.max_reconnect_backoff_ms", 200),)
        channel = self._stack.enter_context(grpc.insecure_channel(address, options=quick))
        self._channels[name] = channel
        return channel


@contextmanager
def running(directory: Path, *names: str) -> Iterator[Services]:
    """Start services on a fresh log in ``directory``."""
    directory.joinpath("data").mkdir()
    settings = on_free_ports(store="", data=directory / "data", logs=directory)
    with ExitStack() as stack:
        services = Services(settings, stack)
        stack.callback(services.stop_all)
        services.start(*names)
        yield services


def eventually(holds: Callable[[], object]) -> None:
    """Wait until ``holds`` answers something true."""
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, f"not within {PATIENCE} s"
        time.sleep(0.02)


def unique(kind: str) -> str:
    """Answer an id that nobody else has: tests share a log."""
    return f"{kind}-{uuid4().hex[:12]}"


def position(call: grpc.Call) -> tuple[tuple[str, str]]:
    """Answer the metadata of a query that shall see what ``call`` wrote."""
    return (("equiloop-min-position", str(dict(call.trailing_metadata())["equiloop-position"])),)


@dataclass(frozen=True)
class Refused:
    """How a call failed."""

    code: grpc.StatusCode
    reason: str
    figures: dict[str, str]
    fields: dict[str, str] = field(default_factory=dict)
    """What is wrong with which field."""


def refused(call: Callable[[], Any]) -> Refused:
    """Make a call that must fail, and answer how; it must name its request."""
    error = failure(call)
    status = status_of(error)
    assert _detail(status, RequestInfo()).request_id
    return Refused(code_of(error), **_taken_apart(status))


def _taken_apart(status: Status) -> dict[str, Any]:
    violations = _detail(status, BadRequest()).field_violations
    return {
        "reason": reason_of(status),
        "figures": dict(_detail(status, ErrorInfo()).metadata),
        "fields": {violation.field: violation.description for violation in violations},
    }


def item_refused(status: Status) -> Refused:
    """Answer how an item of a bulk call failed."""
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    return Refused(code, **_taken_apart(status))


def _detail(status: Status, kind: Any) -> Any:
    for detail in status.details:
        if detail.Unpack(kind):
            break
    return kind
