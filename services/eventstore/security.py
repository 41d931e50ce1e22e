"""Who may come in: TLS, and a user with a password, where the settings name them."""

import base64
import binascii
import hmac
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
import grpc.aio

if TYPE_CHECKING:  # generic only there
    Handler = grpc.RpcMethodHandler[Any, Any] | None

log = logging.getLogger(__name__)

OPEN = (
    "/grpc.health.v1.Health/",
    "/event_store.client.gossip.Gossip/",
    "/event_store.client.server_features.ServerFeatures/",
)
"""Services that ask for no password: what probes call, and clients before they say who they are."""


@dataclass(frozen=True)
class KeyPair:
    """The files, PEM, of a certificate (with those that vouch for it) and of its private key."""

    certificate: Path
    key: Path

    def credentials(self) -> grpc.ServerCredentials:
        """Answer what a TLS server needs; a pair that is replaced in its files is taken up.

        Raises ValueError for files that cannot be read or do not belong together.
        """
        seen, current = self._stamp(), self._read()

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            """Answer the pair if it is a new one; gRPC asks at each handshake, on a thread."""
            nonlocal seen
            try:
                if (stamp := self._stamp()) == seen:
                    return None
                fresh, seen = self._read(), stamp
            except ValueError as error:  # between the two files, perhaps
                log.warning("keeping the certificate in use: %s", error)
                return None
            log.info("the certificate in %s is new: taken up", self.certificate)
            return fresh

        # None says that nothing changed, according to gRPC's documentation.
        return grpc.dynamic_ssl_server_credentials(current, fetch)  # type: ignore[arg-type]

    def _read(self) -> grpc.ServerCertificateConfiguration:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
                self.certificate, self.key, password=_no_passphrase
            )
            pair = self.key.read_bytes(), self.certificate.read_bytes()
        except (OSError, ValueError) as error:  # what ssl raises is an OSError
            raise self._unusable(error) from None
        return grpc.ssl_server_certificate_configuration([pair])

    def _stamp(self) -> tuple[int, ...]:
        try:
            states = [path.stat() for path in (self.certificate, self.key)]
        except OSError as error:
            raise self._unusable(error) from None
        return tuple(number for state in states for number in (state.st_mtime_ns, state.st_ino))

    def _unusable(self, error: Exception) -> ValueError:
        files = f"certificate {self.certificate} and key {self.key}"
        return ValueError(f"no TLS with {files}: {getattr(error, 'strerror', None) or error}")


@dataclass(frozen=True)
class Security:
    """What a server asks of those who call: nothing, TLS, or TLS and a password."""

    credentials: grpc.ServerCredentials | None = None
    user: str = ""
    password: str = ""

    def interceptors(self) -> list[grpc.aio.ServerInterceptor]:
        """Answer what stands before every call."""
        return [Doorkeeper(self.user, self.password)] if self.user else []


class Doorkeeper(grpc.aio.ServerInterceptor):
    """Refuses calls that do not bring the user's name and password, as KurrentDB does."""

    def __init__(self, user: str, password: str) -> None:
        self._expected = f"{user}:{password}".encode()
        # This kind of handler answers every kind of call.
        self._refusal: Handler = grpc.stream_stream_rpc_method_handler(_refuse)

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[Handler]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler":
        """Let a call through, or answer it UNAUTHENTICATED."""
        method = str(handler_call_details.method)
        if method.startswith(OPEN) or self._knows(handler_call_details.invocation_metadata):
            return await continuation(handler_call_details)
        return self._refusal

    def _knows(self, metadata: Any) -> bool:
        said = next((value for key, value in metadata if key == "authorization"), "")
        scheme, _, encoded = str(said).partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            return False
        return scheme.lower() == "basic" and hmac.compare_digest(given, self._expected)


async def _refuse(_: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    await context.abort(
        grpc.StatusCode.UNAUTHENTICATED, "Not authenticated: user or password is missing or wrong"
    )


def _no_passphrase() -> NoReturn:
    """OpenSSL would ask for it on the terminal."""
    raise ValueError("the key is encrypted: give it without a passphrase")
