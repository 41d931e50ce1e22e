"""The gRPC server of a service: methods wrapped, health, reflection, a drain that loses nothing."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import grpc
from equiloop.customers.v1 import organisation_service_pb2 as _organisation  # noqa: F401 - loads the descriptors
from equiloop.customers.v1 import service_pb2 as _customers  # noqa: F401
from equiloop.feedback.v1 import community_service_pb2 as _community  # noqa: F401
from equiloop.feedback.v1 import conversation_service_pb2 as _conversation  # noqa: F401
from equiloop.feedback.v1 import market_service_pb2 as _market  # noqa: F401
from equiloop.feedback.v1 import routing_service_pb2 as _routing  # noqa: F401
from equiloop.feedback.v1 import service_pb2 as _feedback  # noqa: F401
from equiloop.metrics.v1 import service_pb2 as _metrics  # noqa: F401
from equiloop.offers.v1 import service_pb2 as _offers  # noqa: F401
from equiloop.operations.v1 import service_pb2 as _operations  # noqa: F401
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from libs.chassis.handlers import STREAM_LIFE, Wrapper
from libs.chassis.settings import Settings
from libs.contract.options import is_internal, is_query, methods

CONTRACT = (
    "equiloop.customers.v1.CustomerService",
    "equiloop.customers.v1.OrganisationService",
    "equiloop.feedback.v1.CommunityService",
    "equiloop.feedback.v1.ConversationService",
    "equiloop.feedback.v1.FeedbackService",
    "equiloop.feedback.v1.MarketService",
    "equiloop.feedback.v1.RoutingService",
    "equiloop.metrics.v1.MetricsService",
    "equiloop.offers.v1.OfferService",
    "equiloop.operations.v1.OperationsService",
)
"""Reflection on any server shows the whole contract: behind the gateway it is one address."""

VIEWS = "/views"
"""After a service's full name: the health of its views, which may be poor while it serves."""

_SPARE = 256
"""Calls beyond the limit: health checks, and those that are told to come again later."""

Register = Callable[[Any], None]
"""Adds a servicer to what is given: the generated `add_…_to_server` with the servicer bound."""


class _Collector:
    """Stands in for a server where generated code registers its handlers."""

    def __init__(self) -> None:
        self.services: dict[str, dict[str, Any]] = {}

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        """The same handlers come by name as well."""

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        self.services[service] = handlers


class Server:
    """Answers calls at one address. NOT_SERVING until told that it is ready, and while draining."""

    def __init__(self, settings: Settings, wrapper: Wrapper, services: Sequence[Register]) -> None:
        """Register ``services``. Raises UnguardedMethod for a method that names no roles."""
        self._settings, self._wrapper = settings, wrapper
        self._health = health.aio.HealthServicer()
        limit = settings.max_message
        self._server = grpc.aio.server(
            maximum_concurrent_rpcs=settings.max_concurrent + _SPARE,
            options=(
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", limit),
                ("grpc.so_reuseport", 0),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
                ("grpc.max_connection_age_ms", int(STREAM_LIFE * 1000)),
                ("grpc.max_connection_age_grace_ms", int(STREAM_LIFE * 1000)),
            ),
        )
        collector = _Collector()
        for register in services:
            register(collector)
        self.names = sorted(collector.services)
        for name, handlers in collector.services.items():
            self._add(name, handlers)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflected = (*CONTRACT, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(reflected, self._server)

    def _add(self, name: str, handlers: dict[str, Any]) -> None:
        wrapped = {
            method.name: self._wrapper.wrap(
                f"{name}/{method.name}", handlers[method.name], query=is_query(method)
            )
            for method in methods(name)
        }
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(name, wrapped),)
        )

    async def start(self, address: str) -> int:
        """Listen on ``address`` and answer the port. Raises OSError when that cannot be."""
        await self.report(ready=False)
        await self.report_views(well=False)
        try:
            bound = self._server.add_insecure_port(address)
        except RuntimeError:
            bound = 0
        if not bound:
            message = f"cannot listen on {address}: the port is in use or not ours to take"
            raise OSError(message)
        await self._server.start()
        return bound

    async def report(self, *, ready: bool) -> None:
        """Tell health checks whether this server should be sent calls."""
        for name in ("", *self.names):
            await self._health.set(name, _state(ready))

    async def report_views(self, *, well: bool) -> None:
        """Tell who asks for ``<service>/views`` whether the views have all that they should."""
        for name in self.names:
            if not is_internal(name):
                await self._health.set(name + VIEWS, _state(well))

    async def drain(self) -> None:
        """Take no more calls, let running ones end, end streams that a client can take up again."""
        await self._health.enter_graceful_shutdown()
        self._wrapper.draining.set()
        await self._server.stop(self._settings.drain)

    async def wait(self) -> None:
        """Return when the server has stopped."""
        await self._server.wait_for_termination()


def _state(good: bool) -> Any:
    kind = health_pb2.HealthCheckResponse
    return kind.SERVING if good else kind.NOT_SERVING


def gate(waits: Sequence[Callable[[int], Any]]) -> Callable[[int], Any]:
    """Answer a wait for a position that ends when all of ``waits`` have."""

    async def wait(position: int) -> None:
        await asyncio.gather(*(each(position) for each in waits))

    return wait
