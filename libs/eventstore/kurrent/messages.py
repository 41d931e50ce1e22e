"""An append as KurrentDB's message, and its answer as the port's."""

from uuid import UUID

import grpc
from google.protobuf.duration_pb2 import Duration
from kurrentdbclient.protos.v1 import shared_pb2, status_pb2
from kurrentdbclient.protos.v1.streams_pb2 import BatchAppendReq, BatchAppendResp

from libs.eventstore.port import (
    AccessDenied,
    Append,
    Appended,
    Expected,
    StoreCorrupt,
    StoreError,
    StoreUnavailable,
    StreamTombstoned,
    TooLarge,
    WrongExpectedRevision,
)
from libs.eventstore.system import METADATA


def request(part: Append, correlation: UUID, deadline: int) -> BatchAppendReq:
    """Answer the message of an append, to be done within `deadline` seconds."""
    message = BatchAppendReq(is_final=True)
    message.correlation_id.string = str(correlation)
    options = message.options
    options.stream_identifier.stream_name = part.stream.encode()
    options.deadline.CopyFrom(Duration(seconds=deadline))
    match part.expected:
        case Expected.ANY:
            options.any.SetInParent()
        case Expected.NO_STREAM:
            options.no_stream.SetInParent()
        case Expected.EXISTS:
            options.stream_exists.SetInParent()
        case revision:
            options.stream_position = revision
    for event in part.events:
        proposed = message.proposed_messages.add()
        proposed.id.string = str(event.id)
        proposed.metadata["type"] = event.type
        json = event.type == METADATA  # where all others are bytes
        proposed.metadata["content-type"] = f"application/{'json' if json else 'octet-stream'}"
        proposed.data, proposed.custom_metadata = event.data, event.metadata
    return message


def correlation(answer: BatchAppendResp) -> UUID:
    """Answer which append is answered; the server writes ids as text or as two signed halves."""
    halves = answer.correlation_id.structured
    if answer.correlation_id.HasField("structured"):
        high, low = halves.most_significant_bits, halves.least_significant_bits
        return UUID(bytes=high.to_bytes(8, signed=True) + low.to_bytes(8, signed=True))
    return UUID(answer.correlation_id.string)


def outcome(part: Append, answer: BatchAppendResp) -> Appended | StoreError:
    """Answer what became of an append."""
    if answer.HasField("error"):
        return refusal(part, answer.error)
    success = answer.success
    revision = success.current_revision if success.HasField("current_revision") else -1
    return Appended(revision, success.position.commit_position)


def refusal(part: Append, error: status_pb2.Status) -> StoreError:
    """Answer why an append was refused, as its one detail tells."""
    conflict = shared_pb2.WrongExpectedVersion()
    if error.details.Unpack(conflict):
        there = conflict.HasField("current_stream_revision")
        actual = conflict.current_stream_revision if there else None
        return WrongExpectedRevision(part.stream, part.expected, actual)
    message = f"stream {part.stream!r}: {error.message or 'refused'}"
    if error.details.Is(shared_pb2.StreamDeleted.DESCRIPTOR):
        return StreamTombstoned(f"stream {part.stream!r} was deleted for ever")
    limit = shared_pb2.MaximumAppendSizeExceeded()
    if error.details.Unpack(limit):
        return TooLarge(f"{message}: at most {limit.maxAppendSize} bytes")
    if error.details.Is(shared_pb2.AccessDenied.DESCRIPTOR):
        return AccessDenied(message)
    for kind in (shared_pb2.InvalidTransaction, shared_pb2.BadRequest):
        if error.details.Is(kind.DESCRIPTOR):
            return StoreError(message)
    if error.code == grpc.StatusCode.DATA_LOSS.value[0]:
        return StoreCorrupt(message)
    return StoreUnavailable(message)  # out of time, busy, not ready, or it does not know itself
