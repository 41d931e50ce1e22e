"""Every way to say no, as google.rpc.Status with one ErrorInfo of domain `equiloop`."""

import asyncio
import logging

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status

from libs.eventstore.port import StoreError, StoreUnavailable, StreamTombstoned, TooLarge
from libs.kernel.refusals import AlreadyExists, Contended, Invalid, NotFound, Refusal, Stale

log = logging.getLogger(__name__)
DOMAIN = "equiloop"
_RETRY_SECONDS = 1

_CODES: list[tuple[type[BaseException], grpc.StatusCode, str]] = [
    (Invalid, grpc.StatusCode.INVALID_ARGUMENT, ""),
    (NotFound, grpc.StatusCode.NOT_FOUND, ""),
    (AlreadyExists, grpc.StatusCode.ALREADY_EXISTS, ""),
    (Stale, grpc.StatusCode.ABORTED, ""),
    (Contended, grpc.StatusCode.ABORTED, ""),
    (Refusal, grpc.StatusCode.FAILED_PRECONDITION, ""),
    (StoreUnavailable, grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE"),
    (StreamTombstoned, grpc.StatusCode.NOT_FOUND, "NOT_FOUND"),
    (TooLarge, grpc.StatusCode.INVALID_ARGUMENT, "TOO_LARGE"),
    (StoreError, grpc.StatusCode.INTERNAL, "STORE_FAILED"),
    (TimeoutError, grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
    (asyncio.CancelledError, grpc.StatusCode.CANCELLED, "CANCELLED"),
]


def _pack(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


def _peer(error: grpc.aio.AioRpcError) -> tuple[grpc.StatusCode, str, str]:
    """Hand on what a peer said if a retry is safe; anything else is our fault, not the caller's."""
    if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
        return error.code(), "PEER_UNAVAILABLE", "a service that this call needs is not available"
    log.error("a peer refused: %s %s", error.code(), error.details())
    return grpc.StatusCode.INTERNAL, "PEER_FAILED", "a service that this call needs failed"


def _classify(error: BaseException, request_id: str) -> tuple[grpc.StatusCode, str, str]:
    if isinstance(error, grpc.aio.AioRpcError):
        return _peer(error)
    for kind, code, reason in _CODES:
        if isinstance(error, kind):
            text = error.message if isinstance(error, Refusal) else str(error)
            return code, error.reason if isinstance(error, Refusal) else reason, text
    log.error("internal error in request %s", request_id, exc_info=error)
    return (
        grpc.StatusCode.INTERNAL,
        "INTERNAL",
        "internal error; the request id names it in the log",
    )


def status(error: BaseException, request_id: str = "") -> Status:
    """Answer the status that tells a client of ``error``: precise and complete."""
    code, reason, text = _classify(error, request_id)
    metadata = error.metadata if isinstance(error, Refusal) else {}
    more = [_pack(details.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata))]
    if isinstance(error, Invalid):
        more.append(
            _pack(
                details.BadRequest(
                    field_violations=[
                        details.BadRequest.FieldViolation(field=v.field, description=v.description)
                        for v in error.violations
                    ]
                )
            )
        )
    if code is grpc.StatusCode.UNAVAILABLE:
        retry = details.RetryInfo()
        retry.retry_delay.seconds = _RETRY_SECONDS
        more.append(_pack(retry))
    if request_id:
        more.append(_pack(details.RequestInfo(request_id=request_id)))
    return Status(code=code.value[0], message=text, details=more)
