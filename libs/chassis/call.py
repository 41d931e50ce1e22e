"""The call being answered: who makes it, in which trace, and what it has read or written."""

import re
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from google.protobuf.message import Message

from libs.decider.request import Request
from libs.kernel.refusals import Invalid

MIN_POSITION = "equiloop-min-position"
POSITION = "equiloop-position"
ACTOR = "equiloop-actor"
REQUEST_ID = "x-request-id"
TRACEPARENT = "traceparent"

_POSITION = re.compile(r"[0-9]{1,19}")
_TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context


@dataclass(slots=True)
class Call:
    """One call; ``position`` is what goes back in the trailing metadata."""

    request_id: str
    actor: str = ""
    traceparent: str = ""
    min_position: str = ""
    position: int = 0

    @classmethod
    def of(cls, context: Any) -> "Call":
        """Read the metadata of a call."""
        metadata: dict[str, str] = dict(context.invocation_metadata() or ())
        trace = metadata.get(TRACEPARENT, "")
        return cls(
            request_id=metadata.get(REQUEST_ID, ""),
            # Who calls is what the gateway will have proved; until it does, what the caller says.
            actor=metadata.get(ACTOR, ""),
            traceparent=trace if _TRACE.fullmatch(trace) else "",
            min_position=metadata.get(MIN_POSITION, ""),
        )

    def id(self) -> str:
        """Answer the id by which client and log know the call; drawn if it brought none."""
        self.request_id = self.request_id or str(uuid4())
        return self.request_id

    def minimum(self) -> int:
        """Answer the position that views must have reached. Raises Invalid for what is none."""
        wanted = self.min_position
        if wanted and not _POSITION.fullmatch(wanted):
            raise Invalid.field(MIN_POSITION, "must be a position that was given out")
        return int(wanted or 0)

    def request(self, message: Message) -> Request:
        """Answer the request to change something that ``message`` makes in this call."""
        return Request.of(message, traceparent=self.traceparent, actor=self.actor)

    def item(self) -> Request:
        """Answer a request of its own for one item of a bulk call."""
        return Request(traceparent=self.traceparent, actor=self.actor)

    def onward(self) -> Sequence[tuple[str, str]]:
        """Answer the metadata of a question asked of a peer in order to answer this call."""
        pairs = (
            (ACTOR, self.actor),
            (TRACEPARENT, self.traceparent),
            (MIN_POSITION, self.min_position),
        )
        return tuple(pair for pair in pairs if pair[1])

    def wrote(self, position: int) -> None:
        """Remember that the call's last event stands at ``position``."""
        self.position = max(self.position, position)


CURRENT: ContextVar[Call] = ContextVar("call")


def current() -> Call:
    """Answer the call being answered."""
    return CURRENT.get()
