"""Every way to say no, as google.rpc.Status with one ErrorInfo of domain `equiloop`.

A status travels in the trailing metadata, of which clients take 8 KiB: whatever is in it is
bounded, whoever wrote it.
"""

import logging
from typing import NamedTuple

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from libs.eventstore.port import StoreError, StoreUnavailable, StreamTombstoned, TooLarge
from libs.kernel.refusals import AlreadyExists, Contended, Invalid, NotFound, Refusal, Stale

log = logging.getLogger(__name__)
DOMAIN = "equiloop"
_RETRY_SECONDS = 1
_MAX_TEXT, _MAX_FIGURE, _MAX_VIOLATIONS = 500, 200, 3000  # bytes


class Lagging(Exception):
    """The views have not come as far as a query asked within its time."""


class Overloaded(Exception):
    """More calls at once than this server takes."""


class Answer(NamedTuple):
    """What a client is told of an error that is no refusal."""

    code: StatusCode
    reason: str
    text: str = ""  # none: what the error says of itself


_REFUSALS: tuple[tuple[type[Refusal], StatusCode], ...] = (
    (Invalid, StatusCode.INVALID_ARGUMENT),
    (NotFound, StatusCode.NOT_FOUND),
    (AlreadyExists, StatusCode.ALREADY_EXISTS),
    (Stale, StatusCode.ABORTED),
    (Contended, StatusCode.ABORTED),
    (Refusal, StatusCode.FAILED_PRECONDITION),
)
# What an error says of itself may name files and addresses: that is for the log.
_ERRORS: tuple[tuple[type[BaseException], Answer], ...] = (
    (Lagging, Answer(StatusCode.DEADLINE_EXCEEDED, "POSITION_NOT_REACHED")),
    (TimeoutError, Answer(StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "no answer in time")),
    (Overloaded, Answer(StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", "too many calls at once")),
    (StoreUnavailable, Answer(StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", "the log is away")),
    (StreamTombstoned, Answer(StatusCode.NOT_FOUND, "NOT_FOUND", "there is no such resource")),
    (TooLarge, Answer(StatusCode.INVALID_ARGUMENT, "TOO_LARGE")),
    (StoreError, Answer(StatusCode.INTERNAL, "STORE_FAILED", "the log failed")),
    (NotImplementedError, Answer(StatusCode.UNIMPLEMENTED, "UNIMPLEMENTED", "not answered here")),
)
_INTERNAL = Answer(
    StatusCode.INTERNAL, "INTERNAL", "internal error; the request id names it in the log"
)
_PEER_AWAY = "a service that this call needs is not available"
_PEER_FAILED = Answer(StatusCode.INTERNAL, "PEER_FAILED", "a service that this call needs failed")
_PEERS = {
    StatusCode.UNAVAILABLE: Answer(StatusCode.UNAVAILABLE, "PEER_UNAVAILABLE", _PEER_AWAY),
    StatusCode.RESOURCE_EXHAUSTED: Answer(StatusCode.UNAVAILABLE, "PEER_UNAVAILABLE", _PEER_AWAY),
    StatusCode.DEADLINE_EXCEEDED: Answer(
        StatusCode.DEADLINE_EXCEEDED, "PEER_UNAVAILABLE", _PEER_AWAY
    ),
}
_RETRIED = {StatusCode.UNAVAILABLE, StatusCode.RESOURCE_EXHAUSTED}


def status(error: BaseException, request_id: str = "") -> Status:
    """Answer the status that tells a client of ``error``: precise, complete, and no more."""
    answer = _refused(error) if isinstance(error, Refusal) else _failed(error)
    if answer.code is StatusCode.INTERNAL:
        log.error("internal error in request %s", request_id, exc_info=error)
    elif answer.code is StatusCode.UNAVAILABLE:
        log.warning("request %s: %s", request_id, error)
    figures = error.metadata if isinstance(error, Refusal) else {}
    shown = {name: _short(figure, _MAX_FIGURE) for name, figure in figures.items()}
    more: list[Message] = [details.ErrorInfo(reason=answer.reason, domain=DOMAIN, metadata=shown)]
    if isinstance(error, Invalid):
        more.append(_bad_request(error))
    if answer.code in _RETRIED:
        retry = details.RetryInfo()
        retry.retry_delay.seconds = _RETRY_SECONDS
        more.append(retry)
    if request_id:
        more.append(details.RequestInfo(request_id=_short(request_id, _MAX_FIGURE)))
    text = _short(answer.text, _MAX_TEXT)
    return Status(code=answer.code.value[0], message=text, details=map(_pack, more))


def _refused(error: Refusal) -> Answer:
    code = next(code for kind, code in _REFUSALS if isinstance(error, kind))
    return Answer(code, error.reason, error.message)


def _failed(error: BaseException) -> Answer:
    if isinstance(error, grpc.aio.AioRpcError):
        # A peer that refuses what we ask of it is our fault, not the caller's.
        return _PEERS.get(error.code(), _PEER_FAILED)
    for kind, answer in _ERRORS:
        if isinstance(error, kind):
            return answer if answer.text else answer._replace(text=str(error))
    return _INTERNAL


def _bad_request(error: Invalid) -> details.BadRequest:
    """Name every violation, or as many as a client can take and how many more there are."""
    told, size = details.BadRequest(), 0
    for number, violation in enumerate(error.violations):
        field = _short(violation.field, _MAX_FIGURE)
        description = _short(violation.description, _MAX_FIGURE)
        size += len(field.encode()) + len(description.encode())
        if size > _MAX_VIOLATIONS:
            more = f"and {len(error.violations) - number} more"
            told.field_violations.add(field="request", description=more)
            break
        told.field_violations.add(field=field, description=description)
    return told


def _short(text: str, most: int) -> str:
    whole = text.encode(errors="replace")
    return text if len(whole) <= most else whole[: most - 3].decode(errors="ignore") + "…"


def _pack(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
