"""Where the store is: the official client, and a channel beside it to the same node."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
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

from libs.eventstore.kurrent.errors import translated
from libs.eventstore.port import Expected, ExpectedState, StoreUnavailable

_RECONNECT = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    # gRPC's own two minutes outlast any restart; the client looks for a leader for one second.
    ("grpc.max_reconnect_backoff_ms", 500),
)


class Connection:
    """The official client, and what it does not do itself.

    The client looks for the leader anew when a call of its own fails, but not when a stream does.
    """

    def __init__(self, url: str) -> None:
        """Parse a connection string. Raises ValueError, without the password."""
        try:
            self.client = AsyncKurrentDBClient(url)
        except (ValueError, OSError) as error:
            reason = str(error).replace(url, shown(url))
            msg = f"{shown(url)!r} is no connection string for KurrentDB: {reason}"
            raise ValueError(msg) from None
        self.client.grpc_options += _RECONNECT
        spec = self.client.connection_spec
        self._clustered = spec.scheme in URI_SCHEMES_DISCOVER or len(spec.targets) > 1
        self._channel: tuple[UUID, grpc.aio.Channel] | None = None
        self.credentials = self.client.construct_call_credentials(spec.username, spec.password)
        self.metadata = (
            ("connection-name", spec.options.connection_name),
            ("requires-leader", "true"),
        )

    @asynccontextmanager
    async def calling(
        self, stream: str = "", expected: ExpectedState = Expected.ANY
    ) -> AsyncIterator[AsyncKurrentDBClient]:
        """Lend the client for a call. Raises the port's errors; looks for the leader when lost."""
        if self.client.is_closed:
            raise StoreUnavailable("the store was closed")
        with translated():
            await self.client.connect()
        used = self.client.connection_id
        try:
            with translated(stream, expected):
                yield self.client
        except StoreUnavailable as error:
            lost = isinstance(error.__cause__, ServiceUnavailableError | NodeIsNotLeaderError)
            if self._clustered and lost:
                with suppress(KurrentDBClientError):
                    await self.client.reconnect(connection_id=used)
            raise

    async def channel(self) -> grpc.aio.Channel:
        """Answer a channel to the node that the client is connected to now, secured as its own.

        gRPC lets channels to one address share what is underneath.
        """
        client = self.client
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
        await self._close_channel()
        # It never was connected, or raises what ended a subscription that nobody took to its end.
        with suppress(ProgrammingError, KurrentDBClientError):
            await self.client.close()

    async def _close_channel(self) -> None:
        if self._channel is not None:
            (_, channel), self._channel = self._channel, None
            await channel.close()


def shown(url: str) -> str:
    """Answer a connection string as it may be shown: without user and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
