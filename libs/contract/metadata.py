"""What is kept beside an event: who asked, why, and in which trace. JSON, in KurrentDB's names."""

import json
from dataclasses import dataclass
from uuid import UUID

from pydantic_core import to_json


@dataclass(frozen=True, slots=True)
class Metadata:
    """Beside an event: the request that led to it and where that came from.

    ``fingerprint`` is a hash of the request's content, so that one id cannot serve two requests.
    ``causation_id`` is the event that a policy reacted to; a person's request causes itself.
    """

    request_id: UUID
    fingerprint: str = ""
    correlation_id: str = ""
    causation_id: str = ""
    traceparent: str = ""
    actor: str = ""

    def dump(self) -> bytes:
        """Answer it as JSON."""
        request = str(self.request_id)
        values = {
            "$correlationId": self.correlation_id or request,
            "$causationId": self.causation_id or request,
            "requestId": request,
        }
        if self.fingerprint:
            values["fingerprint"] = self.fingerprint
        if self.traceparent:
            values["traceparent"] = self.traceparent
        if self.actor:
            values["actor"] = self.actor
        return to_json(values)

    @classmethod
    def load(cls, data: bytes) -> "Metadata | None":
        """Answer what ``data`` says; None where it was not written by this system."""
        try:
            values = json.loads(data)
            return cls(
                request_id=UUID(str(values["requestId"])),
                fingerprint=values.get("fingerprint", ""),
                correlation_id=values["$correlationId"],
                causation_id=values["$causationId"],
                traceparent=values.get("traceparent", ""),
                actor=values.get("actor", ""),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
