"""What went wrong, said as KurrentDB says it: in an append's answer, or as the status of a call.

According to the client, the kinds are told apart by an answer's detail message, by a status's
wording or by its trailing metadata; so all three are given.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
from google.protobuf.message import Message
from kurrentdbclient.protos.google.rpc import code_pb2
from kurrentdbclient.protos.v1 import shared_pb2, status_pb2

from libs.eventstore.port import (
    MAX_EVENT_BYTES,
    AccessDenied,
    Expected,
    StoreCorrupt,
    StoreUnavailable,
    StreamTombstoned,
    TooLarge,
    WrongExpectedRevision,
)
from services.eventstore.drain import Draining

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[bytes, bytes]

Trailers = tuple[tuple[str, str], ...]

_NO_STREAM = -1
_NUMBERS = {Expected.ANY: -2, Expected.NO_STREAM: _NO_STREAM, Expected.EXISTS: -4}


def append_error(error: Exception, stream: str) -> status_pb2.Status:
    """Answer the error of one append among many, its kind told by the detail message."""
    detail: Message
    match error:
        case WrongExpectedRevision():
            code, detail = code_pb2.ALREADY_EXISTS, _wrong_expected_version(error)
        case StreamTombstoned():
            code, detail = code_pb2.NOT_FOUND, shared_pb2.StreamDeleted()
            detail.stream_identifier.stream_name = stream.encode()
        case TooLarge():
            code = code_pb2.INVALID_ARGUMENT
            detail = shared_pb2.MaximumAppendSizeExceeded(maxAppendSize=MAX_EVENT_BYTES)
        case AccessDenied():
            code, detail = code_pb2.PERMISSION_DENIED, shared_pb2.AccessDenied()
        case TimeoutError():
            code, detail = code_pb2.DEADLINE_EXCEEDED, shared_pb2.Timeout()
        case StoreUnavailable():  # no detail says it, and clients show the message of one without
            code, detail = code_pb2.UNAVAILABLE, shared_pb2.Empty()
        case StoreCorrupt():
            log.error("stream %r: %s", stream, error)
            code, detail = code_pb2.DATA_LOSS, shared_pb2.Empty()
        case ValueError():
            code, detail = code_pb2.INVALID_ARGUMENT, shared_pb2.BadRequest(message=str(error))
        case _:
            log.error("an append to %r failed", stream, exc_info=error)
            code, detail = code_pb2.UNKNOWN, shared_pb2.Unknown()
    status = status_pb2.Status(code=code, message=said(error))
    status.details.Pack(detail)
    return status


@asynccontextmanager
async def told(context: Context, stream: str = "") -> AsyncIterator[None]:
    """Turn what is raised within into the status that ends the call."""
    try:
        yield
    except grpc.aio.BaseError:  # a write that failed: nobody is there any more to be told
        log.debug("the client of stream %r has left", stream)
    except Exception as error:
        await context.abort(*_status(error, stream))


def said(error: Exception) -> str:
    """Answer an error's message; a timeout brings none."""
    return str(error) or "the store did not answer in time"


def _status(error: Exception, stream: str) -> tuple[grpc.StatusCode, str, Trailers]:
    match error:
        case WrongExpectedRevision() | StreamTombstoned():
            return grpc.StatusCode.FAILED_PRECONDITION, *_refusal(error, stream)
        case TooLarge():
            kind = ("exception", "maximum-append-size-exceeded")
            bound = ("maximum-append-size", str(MAX_EVENT_BYTES))
            return grpc.StatusCode.INVALID_ARGUMENT, str(error), (kind, bound)
        case AccessDenied():
            trailers = (("exception", "access-denied"),)
            return grpc.StatusCode.PERMISSION_DENIED, str(error), trailers
        case ValueError():
            code = grpc.StatusCode.INVALID_ARGUMENT
        case StoreUnavailable() | Draining():
            code = grpc.StatusCode.UNAVAILABLE
        case StoreCorrupt():
            log.error("stream %r: %s", stream, error)
            code = grpc.StatusCode.DATA_LOSS
        case TimeoutError():
            code = grpc.StatusCode.DEADLINE_EXCEEDED
        case _:
            log.error("a call for stream %r failed", stream, exc_info=error)
            return grpc.StatusCode.INTERNAL, "the store failed; its own log says how", ()
    return code, said(error), ()


def _refusal(error: WrongExpectedRevision | StreamTombstoned, stream: str) -> tuple[str, Trailers]:
    name = ("stream-name", stream.encode("unicode_escape").decode())
    if isinstance(error, StreamTombstoned):
        return f"Event stream '{stream}' is deleted.", (("exception", "stream-deleted"), name)
    wanted = error.expected if isinstance(error.expected, int) else _NUMBERS[error.expected]
    actual = _NO_STREAM if error.actual is None else error.actual
    one_line = stream.replace("\n", "\\n")  # the client's pattern for this stops at a line's end
    message = (
        f"Append failed due to WrongExpectedVersion. Stream: {one_line}, "
        f"Expected version: {wanted}, Actual version: {actual}"
    )
    return message, (
        ("exception", "wrong-expected-version"),
        name,
        ("expected-version", str(wanted)),
        ("actual-version", str(actual)),
    )


def _wrong_expected_version(error: WrongExpectedRevision) -> shared_pb2.WrongExpectedVersion:
    detail = shared_pb2.WrongExpectedVersion()
    if error.actual is None:
        detail.current_no_stream.SetInParent()
    else:
        detail.current_stream_revision = error.actual
    match error.expected:
        case int(revision):
            detail.expected_stream_position = revision
        case Expected.NO_STREAM:
            detail.expected_no_stream.SetInParent()
        case Expected.EXISTS:
            detail.expected_stream_exists.SetInParent()
        case Expected.ANY:
            detail.expected_any.SetInParent()
    return detail
