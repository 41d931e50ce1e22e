"""What the official client raises, named as the port names it."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import grpc.aio
from kurrentdbclient import exceptions as client
from kurrentdbclient.streams import handle_streams_rpc_error

from libs.eventstore.port import (
    AccessDenied,
    Expected,
    ExpectedState,
    StoreCorrupt,
    StoreError,
    StoreUnavailable,
    StreamNotFound,
    StreamTombstoned,
    WrongExpectedRevision,
)

_KINDS = {
    grpc.StatusCode.DATA_LOSS: StoreCorrupt,
    grpc.StatusCode.INVALID_ARGUMENT: StoreError,
    grpc.StatusCode.PERMISSION_DENIED: AccessDenied,
}

_MEANINGS = (
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is vouched for by none of those in tlsCaFile"),
    ("Hostname Verification Check failed", "its certificate is for another host"),
    ("Failed to create security handshaker", "tlsCaFile holds no certificate"),
    ("WRONG_VERSION_NUMBER", "it speaks no TLS, as tls=false would say"),
)
"""What gRPC's words for a connection that is not secured mean to whoever wrote its string."""


@contextmanager
def translated(stream: str = "", expected: ExpectedState = Expected.ANY) -> Iterator[None]:
    """Raise the port's errors for the client's."""
    try:
        yield
    except (client.KurrentDBClientError, grpc.RpcError, grpc.aio.UsageError) as error:
        raise named(error, stream, expected) from error
    except TimeoutError as error:
        raise StoreUnavailable("the store did not answer in time") from error


def named(error: Exception, stream: str, expected: ExpectedState) -> StoreError:
    """Answer the port's error for the client's.

    What is neither the caller's fault nor the log's counts as unavailability, for it may pass:
    an append may be sent again, and a consumer comes again from its checkpoint.
    """
    status = error if isinstance(error, grpc.aio.AioRpcError) else error.__cause__
    if isinstance(error, grpc.RpcError):
        error = handle_streams_rpc_error(error)
    match error:
        case client.WrongCurrentVersionError(actual_version=actual):
            return WrongExpectedRevision(stream, expected, actual if type(actual) is int else None)
        case client.StreamIsDeletedError() | client.StreamTombstonedError():
            return StreamTombstoned(f"stream {stream!r} was deleted for ever")
        case client.NotFoundError():
            return StreamNotFound(f"stream {stream!r} was not found")
        case client.FollowerNotFoundError() | client.ReadOnlyReplicaNotFoundError():
            return StoreUnavailable("no node is what nodePreference asks for")
        case client.UnauthenticatedError():
            return StoreUnavailable(f"it does not accept this user and password ({error})")
        case _ if isinstance(status, grpc.aio.AioRpcError):
            kind = _KINDS.get(status.code(), StoreUnavailable)
            return kind(_meaning(f"{status.code().name}: {status.details()}"))
        case _:
            return StoreUnavailable(_meaning(f"{type(error).__name__}: {error}"))


def _meaning(said: str) -> str:
    return next((f"{meaning} ({sign})" for sign, meaning in _MEANINGS if sign in said), said)
