"""The server process: what it serves, where it listens, how it stops."""

import asyncio
import logging
import signal
import socket

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from libs.eventstore.port import EventStore
from services.eventstore import service
from services.eventstore.drain import Drain
from services.eventstore.features import FEATURES, NotOffered, features
from services.eventstore.security import Security

log = logging.getLogger(__name__)

MAX_MESSAGE = 17 << 20
"""Largest message, in bytes: as much as the official client takes, and room for any append."""

MAX_CALLS = 4096
"""Most calls at once, subscriptions among them; further ones are answered RESOURCE_EXHAUSTED."""

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.so_reuseport", 0),  # a second process on the port shall fail, not share it
    # Clients that ping to keep a quiet connection are welcome; those that are gone are noticed.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)
_WILDCARDS = ("", "0.0.0.0", "[::]")  # noqa: S104 - compared with, not listened on


class Server:
    """A store served at one address, to whom `security` lets in."""

    def __init__(
        self,
        store: EventStore,
        security: Security = Security(),  # noqa: B008 (it is frozen)
    ) -> None:
        self._store, self._drain = store, Drain()
        self._credentials = security.credentials
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(
            interceptors=security.interceptors(),
            options=_OPTIONS,
            maximum_concurrent_rpcs=MAX_CALLS,
        )

    async def start(self, host: str, port: int, advertised: str = "") -> int:
        """Listen on `host`:`port` (0: any free one) and answer the port. Raises OSError.

        `advertised` is the host under which discovery names this node, if not `host`.
        """
        _probe(host, port)
        address = f"{host}:{port}"
        if self._credentials:
            bound = self._server.add_secure_port(address, self._credentials)
        else:
            bound = self._server.add_insecure_port(address)
        node = advertised or (socket.gethostname() if host in _WILDCARDS else host)
        offered = {
            service.STREAMS: service.streams(self._store, self._drain),
            service.GOSSIP: service.gossip(node, bound),
        }
        offered[FEATURES] = features(offered)
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(*each) for each in offered.items()]
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflected = (*offered, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(reflected, self._server)
        self._server.add_generic_rpc_handlers([NotOffered()])  # the last one that is asked
        await self._health.set(service.STREAMS, health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()
        return bound

    async def stop(self, grace: float) -> None:
        """Take no more calls, end subscriptions, let other calls end within `grace` seconds."""
        await self._health.enter_graceful_shutdown()
        self._drain.begin()
        await self._server.stop(grace)


def _probe(host: str, port: int) -> None:
    """Find out whether we may listen there: gRPC would write the reason to its own log.

    Raises OSError, saying what the system says.
    """
    try:
        bare = host.strip("[]") or None
        found = socket.getaddrinfo(bare, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        message = f"cannot listen on {host}:{port}: {error.strerror}"
        raise OSError(message) from error


def stop_signals() -> asyncio.Event:
    """Answer what is set once the process gets SIGTERM or SIGINT; these no longer end it."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
