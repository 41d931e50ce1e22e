"""Message ↔ stored event. The stored type is the full message name; the bytes are protobuf.

This is the one place through which every event passes on its way to the log and back, so it is
where personal fields (`equiloop.options.v1.personal`) will be sealed with their subject's key.
"""

from collections.abc import Iterable
from types import ModuleType
from uuid import UUID, uuid5

from google.protobuf.message import Message

from libs.eventstore.port import NewEvent, RecordedEvent


class UnknownEvent(LookupError):
    """The log holds an event of a type that this release does not know."""


def _is_event(value: object) -> bool:
    if not (isinstance(value, type) and issubclass(value, Message)):
        return False
    return "event_time" in value.DESCRIPTOR.fields_by_name


class Codec:
    """Knows every event of the given contract modules by its stored type."""

    def __init__(self, *modules: ModuleType) -> None:
        """Register all events (messages with an ``event_time``) of ``modules``."""
        self.types: dict[str, type[Message]] = {
            value.DESCRIPTOR.full_name: value
            for module in modules
            for value in vars(module).values()
            if _is_event(value)
        }
        self._parsers = {name: event.FromString for name, event in self.types.items()}

    def encode(
        self, events: Iterable[Message], request_id: UUID, metadata: bytes
    ) -> list[NewEvent]:
        """Answer ``events`` ready to append; their ids follow from the request's, by uuid5."""
        return [
            NewEvent(
                uuid5(request_id, str(index)),
                event.DESCRIPTOR.full_name,
                event.SerializeToString(),
                metadata,
            )
            for index, event in enumerate(events)
        ]

    def decode(self, event: RecordedEvent) -> Message:
        """Answer the message in ``event``; raise UnknownEvent for a type that is not ours."""
        try:
            parse = self._parsers[event.type]
        except KeyError:
            message = f"event {event.id} in {event.stream!r} has the unknown type {event.type!r}"
            raise UnknownEvent(message) from None
        return parse(event.data)
