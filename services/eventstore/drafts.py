"""Appends as they come in: KurrentDB lets one append arrive in several messages."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from uuid import UUID

from kurrentdbclient.protos.v1.streams_pb2 import AppendReq, BatchAppendReq

from libs.eventstore.port import Expected, ExpectedState, NewEvent, TooLarge
from services.eventstore import wire

MAX_APPEND_BYTES = 16 << 20
"""Most data plus metadata in one append, however many messages bring it."""

MAX_UNFINISHED = 16
"""Most appends of a call of which some events have come and the last have not."""

TIMEOUT = 10.0
"""Seconds for an append from its first message to its answer; its own deadline may be shorter."""


@dataclass(slots=True)
class Draft:
    """An append on its way in; `error` says why it will not be tried.

    `until` is when its time is up, on the clock of the event loop.
    """

    stream: str = ""
    expected: ExpectedState = Expected.ANY
    until: float = 0.0
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
    name, expected = wire.stream_name(options.stream_identifier), wire.expected_state(options)
    return Draft(name, expected, asyncio.get_running_loop().time() + timeout)


class Drafts:
    """The unfinished appends of one BatchAppend call, by correlation id.

    One whose time is up before its last message has come is handed to `late`, with the message
    that brought its options.
    """

    def __init__(self, late: Callable[[BatchAppendReq, Draft], object]) -> None:
        self._late = late
        self._drafts: dict[UUID, Draft] = {}
        self._timers: dict[UUID, asyncio.TimerHandle] = {}

    def __enter__(self) -> "Drafts":
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        for timer in self._timers.values():
            timer.cancel()

    def take(self, request: BatchAppendReq) -> Draft | None:
        """Answer the append that `request` completes or spoils; None while more is to come.

        What follows an append that was spoiled, or too late, is ignored, as in KurrentDB.
        """
        try:
            key = wire.uuid_of(request.correlation_id)
        except wire.BadRequest as error:
            return Draft(error=error)
        try:
            if request.HasField("options") and key not in self._drafts:
                self._begin(key, request)
            if (found := self._drafts.get(key)) is None:
                return None
            if len(self._drafts) > MAX_UNFINISHED:
                raise wire.BadRequest(f"over {MAX_UNFINISHED} unfinished appends on one call")
            for proposed in request.proposed_messages:
                found.add(proposed)
        except (wire.BadRequest, TooLarge) as error:
            spoiled = self._end(key) or Draft()
            spoiled.error = error
            return spoiled
        return self._end(key) if request.is_final else None

    def _begin(self, key: UUID, request: BatchAppendReq) -> None:
        begun = self._drafts[key] = draft(request.options)
        if not request.is_final:
            loop = asyncio.get_running_loop()
            self._timers[key] = loop.call_at(begun.until, self._expire, key, request)

    def _end(self, key: UUID) -> Draft | None:
        if timer := self._timers.pop(key, None):
            timer.cancel()
        return self._drafts.pop(key, None)

    def _expire(self, key: UUID, request: BatchAppendReq) -> None:
        if late := self._end(key):
            self._late(request, late)


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
