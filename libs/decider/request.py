"""Who asks, and under which id: what makes a repeated call a call done once."""

import hashlib
from dataclasses import dataclass, field
from uuid import UUID, uuid4, uuid5

from google.protobuf.message import Message

from libs.contract.metadata import Metadata


@dataclass(frozen=True, slots=True)
class Request:
    """One request to change something.

    ``malformed`` says that its id was given and is no UUID: it is not handled. Parsing names that
    beside all else that is wrong with the request, which may need a name derived from it first.
    """

    id: UUID = field(default_factory=uuid4)
    fingerprint: str = ""
    correlation_id: str = ""
    causation_id: str = ""
    traceparent: str = ""
    actor: str = ""
    malformed: bool = False

    @classmethod
    def of(cls, message: Message, *, traceparent: str = "", actor: str = "") -> "Request":
        """Read the ``request_id`` of ``message``; without one, draw it."""
        given: str = message.request_id  # type: ignore[attr-defined]
        if not given:
            return cls(traceparent=traceparent, actor=actor)
        try:
            request_id = UUID(given)
        except ValueError:
            return cls(malformed=True)
        return cls(request_id, fingerprint(message), traceparent=traceparent, actor=actor)

    def derive(self, kind: str) -> str:
        """Answer the id of a new thing of this ``kind`` that the request makes."""
        return str(uuid5(self.id, kind))

    def metadata(self) -> bytes:
        """Answer what is kept beside each event of this request."""
        return Metadata(
            self.id,
            self.fingerprint,
            self.correlation_id,
            self.causation_id,
            self.traceparent,
            self.actor,
        ).dump()


def fingerprint(message: Message) -> str:
    """Answer a hash of all that ``message`` says, the same for the same content."""
    content = message.DESCRIPTOR.full_name.encode() + message.SerializeToString(deterministic=True)
    return hashlib.blake2b(content, digest_size=12).hexdigest()
