"""Appends as they come in: KurrentDB lets one append arrive in several messages."""

import time
from dataclasses import dataclass, field

from kurrentdbclient.protos.v1.streams_pb2 import AppendReq, BatchAppendReq

from libs.eventstore.port import Expected, ExpectedState, NewEvent, TooLarge
from services.eventstore import wire

MAX_APPEND_BYTES = 16 << 20
"""Most data plus metadata in one append, however many messages bring it."""

MAX_UNFINISHED = 16
"""Most appends of a call of which some events have come and the last have not."""

TIMEOUT = 10.0
"""Longest wait for the store, in seconds; a writer's own deadline may be shorter."""


@dataclass(slots=True)
class Draft:
    """An append on its way in; `error` says why it will not be tried."""

    stream: str = ""
    expected: ExpectedState = Expected.ANY
    timeout: float = TIMEOUT
    events: list[NewEvent] = field(default_factory=list)
    error: Exception | None = None
    _size: int = 0

    def add(self, proposed: wire.Proposed) -> None:
        """Take in another event. Raises BadRequest, and TooLarge for more than an append holds."""
        self._size += len(proposed.data) + len(proposed.custom_metadata)
        if self._size > MAX_APPEND_BYTES:
            raise TooLarge(f"stream {self.stream!r}: an append of over {MAX_APPEND_BYTES} bytes")
        self.events.append(wire.new_event(proposed))


def draft(options: BatchAppendReq.Options | AppendReq.Options) -> Draft:
    """Begin an append as its options say. Raises BadRequest."""
    timeout = _timeout(options) if isinstance(options, BatchAppendReq.Options) else TIMEOUT
    return Draft(wire.stream_name(options.stream_identifier), wire.expected_state(options), timeout)


class Drafts:
    """The unfinished appends of one BatchAppend call, by correlation id."""

    def __init__(self) -> None:
        self._drafts: dict[bytes, Draft] = {}

    def take(self, request: BatchAppendReq) -> Draft | None:
        """Answer the append that `request` completes or spoils; None while more is to come.

        What follows an append that was spoiled is ignored, as in KurrentDB.
        """
        key = request.correlation_id.SerializeToString()
        try:
            if request.HasField("options") and key not in self._drafts:
                self._drafts[key] = draft(request.options)
            if (found := self._drafts.get(key)) is None:
                return None
            if len(self._drafts) > MAX_UNFINISHED:
                raise wire.BadRequest(f"over {MAX_UNFINISHED} unfinished appends on one call")
            for proposed in request.proposed_messages:
                found.add(proposed)
        except (wire.BadRequest, TooLarge) as error:
            spoiled = self._drafts.pop(key, None) or Draft()
            spoiled.error = error
            return spoiled
        return self._drafts.pop(key) if request.is_final else None


def _timeout(options: BatchAppendReq.Options) -> float:
    match options.WhichOneof("deadline_option"):
        case "deadline":
            wanted = options.deadline.seconds + options.deadline.nanos / 1e9
        case "deadline_21_10_0":
            instant = options.deadline_21_10_0
            wanted = instant.seconds + instant.nanos / 1e9 - time.time()
        case _:
            wanted = TIMEOUT
    return min(wanted, TIMEOUT)
