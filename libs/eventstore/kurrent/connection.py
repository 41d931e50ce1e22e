"""Where the store is, and how to call it there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TypedDict
from urllib.parse import urlsplit
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

_RECONNECT = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    # gRPC's own two minutes outlast any restart; the client looks for a leader for one second.
    ("grpc.max_reconnect_backoff_ms", 500),
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
        try:
            self._client = AsyncKurrentDBClient(url)
        except (ValueError, OSError) as error:
            reason = str(error).replace(url, shown(url))
            msg = f"{shown(url)!r} is no connection string for KurrentDB: {reason}"
            raise ValueError(msg) from None
        self._client.grpc_options += _RECONNECT
        spec = self._client.connection_spec
        self._clustered = spec.scheme in URI_SCHEMES_DISCOVER or len(spec.targets) > 1
        self._looking: asyncio.Task[None] | None = None
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
        used = self._client.connection_id
        try:
            with translated(stream, expected):
                yield self._client.connection.streams
        except StoreUnavailable as error:
            if isinstance(error.__cause__, ServiceUnavailableError | NodeIsNotLeaderError):
                self._look_for_leader(used)
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
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._close_channel()
        # It never was connected, or raises what ended a subscription that nobody took to its end.
        with suppress(ProgrammingError, KurrentDBClientError):
            await self._client.close()

    def _look_for_leader(self, lost: UUID) -> None:
        """Have the client find the leader anew, once; one node alone gRPC connects to again."""
        if self._clustered and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._find_leader(lost))

    async def _find_leader(self, lost: UUID) -> None:
        with suppress(KurrentDBClientError):  # there is none yet: the next call looks again
            await self._client.reconnect(connection_id=lost)

    async def _close_channel(self) -> None:
        if self._channel is not None:
            (_, channel), self._channel = self._channel, None
            await channel.close()


def shown(url: str) -> str:
    """Answer a connection string as it may be shown: without user and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
