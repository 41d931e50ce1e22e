"""Where the store is, and how to call it there."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TypedDict
from urllib.parse import unquote, urlsplit
from uuid import UUID

import grpc
import grpc.aio
from kurrentdbclient import AsyncKurrentDBClient
from kurrentdbclient.connection_spec import URI_SCHEMES_DISCOVER
from kurrentdbclient.exceptions import (
    KurrentDBClientError,
    NodeIsNotLeaderError,
    ProgrammingError,
    ServiceUnavailableError,
)
from kurrentdbclient.streams import AsyncStreamsService

from libs.eventstore.kurrent.errors import translated
from libs.eventstore.port import Expected, ExpectedState, StoreUnavailable

log = logging.getLogger(__name__)

_RECONNECT = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    # gRPC's own two minutes outlast any restart; the client looks for a leader for one second.
    ("grpc.max_reconnect_backoff_ms", 500),
)
# A connection may die without either end being told (a router that forgets it, a host that loses
# power): TCP would find that out after a quarter of an hour. The client's own options leave it at
# that unless the connection string says otherwise.
_KEEPALIVE = (
    ("grpc.keepalive_time_ms", 10_000),  # KurrentDB advises against less
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),  # a subscription only listens
    ("grpc.keepalive_permit_without_calls", 1),
)


class Identity(TypedDict):
    """Who calls: what every call of the client's takes."""

    metadata: tuple[tuple[str, str], ...]
    credentials: grpc.CallCredentials | None


class Connection:
    """The official client's connection to the right node of a cluster.

    Calls are made through its streams service. The client's own methods would try a failed call
    again, and first replace the connection, which ends all subscriptions and may take seconds.
    """

    def __init__(self, url: str) -> None:
        """Parse a connection string. Raises ValueError, without the password."""
        self._url, self._client = url, _client(url)
        spec = self._client.connection_spec
        self._clustered = spec.scheme in URI_SCHEMES_DISCOVER or len(spec.targets) > 1
        self._looking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._looking.set_result(None)
        self._channel: tuple[UUID, grpc.aio.Channel] | None = None
        self.identity = Identity(
            metadata=(("connection-name", spec.options.connection_name),),
            credentials=self._client.construct_call_credentials(spec.username, spec.password),
        )

    @asynccontextmanager
    async def calling(
        self, stream: str = "", expected: ExpectedState = Expected.ANY
    ) -> AsyncIterator[AsyncStreamsService]:
        """Lend the streams service. Raises the port's errors; looks for the leader when lost."""
        if self._client.is_closed:
            raise StoreUnavailable("the store was closed")
        with translated():
            await self._client.connect()
        try:
            with translated(stream, expected):
                yield self._client.connection.streams
        except StoreUnavailable as error:
            lost = isinstance(error.__cause__, ServiceUnavailableError | NodeIsNotLeaderError)
            if lost and self._clustered and self._looking.done():
                self._looking = asyncio.create_task(self._look_for_leader())
            raise

    async def channel(self) -> grpc.aio.Channel:
        """Answer a channel to the node that the client is connected to now, secured as its own.

        gRPC lets channels to one address share what is underneath.
        """
        client = self._client
        if self._channel is None or self._channel[0] != client.connection_id:
            await self._close_channel()
            target, options = client.connection_target, list(client.grpc_options)
            if client.connection_spec.options.tls:
                credentials = grpc.ssl_channel_credentials(
                    client.root_certificates, client.private_key, client.certificate_chain
                )
                channel = grpc.aio.secure_channel(target, credentials, options)
            else:
                channel = grpc.aio.insecure_channel(target, options)
            self._channel = client.connection_id, channel
        return self._channel[1]

    async def close(self) -> None:
        """Let go of the channel, and of the client's own."""
        self._looking.cancel()
        await asyncio.gather(self._looking, return_exceptions=True)
        await self._close_channel()
        await _close(self._client)

    async def _look_for_leader(self) -> None:
        """Move to another node if one leads now; to the same one gRPC connects again by itself."""
        found = _client(self._url)
        try:
            await found.connect()
            if found.connection_target != self._client.connection_target:
                log.info("moving to %s", found.connection_target)
                found, self._client = self._client, found
        except KurrentDBClientError as error:  # the next call that is lost looks again
            log.info("no leader found: %s", error)
        finally:
            await _close(found)

    async def _close_channel(self) -> None:
        if self._channel is not None:
            (_, channel), self._channel = self._channel, None
            await channel.close()


class Client(AsyncKurrentDBClient):
    """The official client, but for user and password: in a URL they may be percent-encoded."""

    def construct_call_credentials(
        self, username: str | None, password: str | None
    ) -> grpc.CallCredentials | None:
        """Answer what calls bring to say who calls; None where that is not asked for."""
        return super().construct_call_credentials(unquote(username or ""), unquote(password or ""))


def _client(url: str) -> AsyncKurrentDBClient:
    try:
        client = Client(url)
    except (ValueError, OSError) as error:
        reason = str(error).replace(url, shown(url))
        msg = f"{shown(url)!r} is no connection string for KurrentDB: {reason}"
        raise ValueError(msg) from None
    told = {name for name, _ in client.grpc_options}
    client.grpc_options += _RECONNECT
    client.grpc_options += tuple(option for option in _KEEPALIVE if option[0] not in told)
    return client


async def _close(client: AsyncKurrentDBClient) -> None:
    # A read that is stopped before its worker has begun would be waited for without end.
    await asyncio.sleep(0)
    # It may never have been connected, or raise what ended a subscription that nobody took up.
    with suppress(ProgrammingError, KurrentDBClientError):
        await client.close()


def shown(url: str) -> str:
    """Answer a connection string as it may be shown: without user and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
