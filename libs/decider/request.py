"""Who asks, and under which id: what makes a repeated call a call done once."""

import hashlib
from dataclasses import dataclass, field
from uuid import UUID, uuid4, uuid5

from google.protobuf.message import Message

from libs.contract.metadata import Metadata
from libs.kernel.refusals import Invalid


@dataclass(frozen=True, slots=True)
class Request:
    """One request to change something."""

    id: UUID = field(default_factory=uuid4)
    fingerprint: str = ""
    correlation_id: str = ""
    causation_id: str = ""
    traceparent: str = ""
    actor: str = ""

    @classmethod
    def of(cls, message: Message, *, traceparent: str = "", actor: str = "") -> "Request":
        """Read the ``request_id`` of ``message``; without one, draw it.

        Raises Invalid for an id that is not a UUID.
        """
        given: str = message.request_id  # type: ignore[attr-defined]
        if not given:
            return cls(traceparent=traceparent, actor=actor)
        try:
            request_id = UUID(given)
        except ValueError:
            raise Invalid.field("request_id", "must be a UUID") from None
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
