"""An Envoy of our configuration in front of small real servers."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equiloop.feedback.v1 import service_pb2 as feedback

from deploy.local.child import Child, python, serving
from deploy.local.gateway import Gateway
from deploy.local.settings import LocalSettings, on_free_ports
from tests.system import grpc_web
from tests.system.support import Rest, Stubs, rest, stubs

RECORD = "equiloop.feedback.v1.FeedbackService/RecordFeedback"


def says(words: str) -> feedback.RecordFeedbackRequest:
    """Answer a request to record these words."""
    return feedback.RecordFeedbackRequest(text=words)


@dataclass
class Front:
    """An Envoy and the servers behind it; RecordFeedback does what the words say (backend.py)."""

    settings: LocalSettings
    backend: Child
    native: Stubs

    @property
    def address(self) -> str:
        """Where Envoy listens."""
        return self.settings.gateway

    def record(self, words: str, **options: Any) -> feedback.Feedback:
        """Record feedback over native gRPC."""
        return self.native.feedback.RecordFeedback(says(words), **options)

    def web(self, words: str, **options: Any) -> grpc_web.Answer[feedback.Feedback]:
        """Record feedback over gRPC-Web."""
        return grpc_web.call(self.address, RECORD, says(words), feedback.Feedback, **options)

    def rest(self, words: str, **headers: str) -> Rest:
        """Record feedback over REST."""
        return rest(self.address, "POST", "/v1/feedback", {"text": words}, headers)


@contextmanager
def running(logs: Path) -> Iterator[Front]:
    """Run servers and Envoy; AssertionError when Envoy complained in its log."""
    settings = on_free_ports(logs=logs)
    addresses = (settings.customers, settings.feedback, settings.offers, settings.metrics)
    ports = [address.rpartition(":")[2] for address in addresses]
    command = [*python("tests.system.backend"), *ports]
    behind = Child("backend", command, serving(settings.feedback), logs / "backend.log")
    gateway = Gateway(settings)
    started: list[Child] = []
    try:
        for child in (behind, gateway):
            child.start({})
            started.append(child)
            until(child.healthy)
        with stubs(settings.gateway) as native:
            yield Front(settings, behind, native)
    finally:
        for child in reversed(started):
            child.terminate()
            child.wait(time.monotonic() + 5)
    complaints = [line for line in gateway.log.read_text().splitlines() if "][error]" in line]
    assert complaints == []


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for a condition; AssertionError when it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
