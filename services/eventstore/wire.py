"""KurrentDB's messages and the port's values, each turned into the other.

The messages are the official client's own generated ones, so that what it expects and what is
said here cannot drift apart.
"""

from datetime import UTC, datetime
from uuid import UUID

from kurrentdbclient.protos.v1 import shared_pb2
from kurrentdbclient.protos.v1.streams_pb2 import (
    AppendReq,
    BatchAppendReq,
    DeleteReq,
    ReadResp,
    TombstoneReq,
)

from libs.eventstore.port import Expected, ExpectedState, NewEvent, RecordedEvent

BIGGEST = (1 << 63) - 1
"""Largest number a store counts to; the protocol's unsigned "no limit" and "last" lie above it."""

_LOW = (1 << 64) - 1
_WEAKER = {"any": Expected.ANY, "no_stream": Expected.NO_STREAM, "stream_exists": Expected.EXISTS}

OptionsWithRevision = AppendReq.Options | DeleteReq.Options | TombstoneReq.Options
Proposed = AppendReq.ProposedMessage | BatchAppendReq.ProposedMessage


class BadRequest(ValueError):
    """A message that no store could act on; it says which field and why."""


def stream_name(identifier: shared_pb2.StreamIdentifier) -> str:
    """Answer the name of a stream. Raises BadRequest where it is missing or not UTF-8."""
    try:
        name = identifier.stream_name.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"stream_identifier.stream_name is not UTF-8: {error}") from None
    if not name:
        raise BadRequest("stream_identifier.stream_name is empty")
    return name


def shown_name(identifier: shared_pb2.StreamIdentifier) -> str:
    """Answer the name of a stream for a message, whatever it is."""
    return identifier.stream_name.decode(errors="replace")


def expected_state(options: BatchAppendReq.Options | OptionsWithRevision) -> ExpectedState:
    """Answer what the writer expects of the stream. Raises BadRequest where it does not say."""
    which: str | None
    if isinstance(options, BatchAppendReq.Options):
        which, revision = options.WhichOneof("expected_stream_position"), options.stream_position
    else:
        which, revision = options.WhichOneof("expected_stream_revision"), options.revision
    if which is None:
        raise BadRequest("the expected state of the stream is not set")
    return _WEAKER.get(which, bounded(revision))


def new_event(message: Proposed) -> NewEvent:
    """Answer the event that a writer proposes. Raises BadRequest for a missing type or a bad id."""
    if not message.metadata["type"]:
        raise BadRequest("proposed_message.metadata has no 'type'")
    return NewEvent(
        uuid_of(message.id), message.metadata["type"], message.data, message.custom_metadata
    )


def bounded(number: int) -> int:
    """Answer an unsigned number of the protocol as one that a store can count to."""
    return min(number, BIGGEST)


def uuid_of(message: shared_pb2.UUID) -> UUID:
    """Answer a UUID sent in either form, as text or as two signed halves."""
    if message.WhichOneof("value") == "structured":
        halves = message.structured
        return UUID(
            int=(halves.most_significant_bits & _LOW) << 64 | halves.least_significant_bits & _LOW
        )
    try:
        return UUID(message.string)
    except ValueError:
        raise BadRequest(f"{message.string!r} is not a UUID") from None


def event_read(event: RecordedEvent, *, structured: bool = False) -> bytes:
    """Answer the serialised ReadResp of one event, its id in the form that the reader asked for."""
    answer = ReadResp()
    answer.event.commit_position = event.position
    record = answer.event.event
    if structured:
        record.id.structured.most_significant_bits = _signed(event.id.int >> 64)
        record.id.structured.least_significant_bits = _signed(event.id.int & _LOW)
    else:
        record.id.string = str(event.id)
    record.stream_identifier.stream_name = event.stream.encode()
    record.stream_revision = event.revision
    record.commit_position = record.prepare_position = event.position
    record.metadata["type"] = event.type
    record.metadata["content-type"] = content_type(event.data)
    record.metadata["created"] = str(ticks(event.recorded_at))
    record.custom_metadata = event.metadata
    record.data = event.data
    return answer.SerializeToString()


def content_type(data: bytes) -> str:
    """Tell JSON from other bytes, as the port keeps no content type.

    Our own events are protobuf, which never begins with "{" or "[": these would be group tags.
    """
    return "application/json" if data[:1] in (b"{", b"[") else "application/octet-stream"


def ticks(instant: datetime) -> int:
    """Answer an instant as KurrentDB writes it: units of 100 ns since 1970, UTC."""
    return round(instant.astimezone(UTC).timestamp() * 1_000_000) * 10


def checkpoint(position: int) -> bytes:
    """Answer the ReadResp which says that the log was looked through up to `position`."""
    answer = ReadResp()
    answer.checkpoint.commit_position = answer.checkpoint.prepare_position = position
    answer.checkpoint.timestamp.GetCurrentTime()
    return answer.SerializeToString()


def caught_up(position: int) -> bytes:
    """Answer the ReadResp which says that a subscription has reached the end of the log."""
    answer = ReadResp()
    mark = answer.caught_up
    mark.position.commit_position = mark.position.prepare_position = position
    mark.timestamp.GetCurrentTime()
    return answer.SerializeToString()


def fell_behind(position: int) -> bytes:
    """Answer the ReadResp which says that more has come than the subscription keeps up with."""
    answer = ReadResp()
    mark = answer.fell_behind
    mark.position.commit_position = mark.position.prepare_position = position
    mark.timestamp.GetCurrentTime()
    return answer.SerializeToString()


def confirmation(subscription: str) -> bytes:
    """Answer the ReadResp with which a subscription begins."""
    answer = ReadResp()
    answer.confirmation.subscription_id = subscription
    return answer.SerializeToString()


def stream_not_found(name: str) -> bytes:
    """Answer the ReadResp of a stream that is not there: an answer, not an error, in KurrentDB."""
    answer = ReadResp()
    answer.stream_not_found.stream_identifier.stream_name = name.encode()
    return answer.SerializeToString()


def _signed(half: int) -> int:
    return half - (1 << 64) if half >> 63 else half
