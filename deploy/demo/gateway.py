"""The demo's side of the gateway: stubs, and ids that do not change from run to run."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar
from uuid import NAMESPACE_URL, uuid5

import grpc
from equiloop.customers.v1.organisation_service_pb2_grpc import OrganisationServiceStub
from equiloop.customers.v1.service_pb2_grpc import CustomerServiceStub
from equiloop.feedback.v1.market_service_pb2_grpc import MarketServiceStub
from equiloop.feedback.v1.routing_service_pb2_grpc import RoutingServiceStub
from equiloop.feedback.v1.service_pb2_grpc import FeedbackServiceStub
from equiloop.metrics.v1.service_pb2_grpc import MetricsServiceStub
from equiloop.offers.v1.service_pb2_grpc import OfferServiceStub

BATCH = 1000
PATIENCE = 120.0
"""Seconds for an answer: after a bulk import, views take some time to come as far."""

T = TypeVar("T")


class Gateway:
    """What the demo asks of the system, all of it through one port."""

    def __init__(self, address: str) -> None:
        """Connect to ``address``."""
        self._channel = grpc.aio.insecure_channel(address)
        self.customers = CustomerServiceStub(self._channel)
        self.organisation = OrganisationServiceStub(self._channel)
        self.feedback = FeedbackServiceStub(self._channel)
        self.routing = RoutingServiceStub(self._channel)
        self.market = MarketServiceStub(self._channel)
        self.offers = OfferServiceStub(self._channel)
        self.metrics = MetricsServiceStub(self._channel)
        self.position = 0
        """Position of the last event that came of anything sent here."""

    async def send(self, call: Any) -> Any:
        """Await a mutation, and remember the log position that it reached."""
        reply = await call
        for key, value in await call.trailing_metadata():
            if key == "equiloop-position":
                self.position = max(self.position, int(value))
        return reply

    async def ask(self, method: Any, request: Any) -> Any:
        """Ask a question that sees all that was sent before."""
        metadata = (("equiloop-min-position", str(self.position)),)
        return await method(request, metadata=metadata, timeout=PATIENCE)

    async def close(self) -> None:
        """Hang up."""
        await self._channel.close()


def request_id(*parts: object) -> str:
    """Answer the request id of one step of the demo: a second run asks for nothing new."""
    return str(uuid5(NAMESPACE_URL, "/".join(("equiloop-demo", *map(str, parts)))))


def batches(items: Iterable[T]) -> Iterator[list[T]]:
    """Cut ``items`` into batches of at most 1,000."""
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch
