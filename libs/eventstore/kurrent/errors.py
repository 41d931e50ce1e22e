"""What the official client raises, named as the port names it."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import grpc.aio
from kurrentdbclient import exceptions as client
from kurrentdbclient.streams import handle_streams_rpc_error

from libs.eventstore.port import (
    Expected,
    ExpectedState,
    StoreCorrupt,
    StoreError,
    StoreUnavailable,
    StreamNotFound,
    StreamTombstoned,
    TooLarge,
    WrongExpectedRevision,
)

_LARGE = (
    client.MaximumAppendSizeExceededError,
    client.RecordMaxSizeExceededError,
    client.TransactionMaxSizeExceededError,
)
_REFUSED = (client.BadRequestError, client.InvalidArgumentError, client.InvalidTransactionError)


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
    """Answer the port's error for the client's; what is not the writer's fault is unavailability.

    A gRPC error that is none of the known kinds may pass, so it counts as unavailability, too:
    an append may be sent again, and a consumer comes again from its checkpoint.
    """
    if isinstance(error, grpc.RpcError):
        error = handle_streams_rpc_error(error)
    cause = error.__cause__
    if isinstance(cause, grpc.aio.AioRpcError) and cause.code() is grpc.StatusCode.DATA_LOSS:
        return StoreCorrupt(cause.details() or "the server's log is damaged")
    match error:
        case client.WrongCurrentVersionError(actual_version=actual):
            return WrongExpectedRevision(stream, expected, actual if type(actual) is int else None)
        case client.StreamIsDeletedError() | client.StreamTombstonedError():
            return StreamTombstoned(f"stream {stream!r} was deleted for ever")
        case client.NotFoundError():
            return StreamNotFound(f"stream {stream!r} was not found")
        case _ if isinstance(error, _LARGE):
            return TooLarge(f"stream {stream!r}: {error}")
        case _ if isinstance(error, _REFUSED):
            return StoreError(f"stream {stream!r}: {error}")
        case _:
            return StoreUnavailable(f"{type(error).__name__}: {error}")
