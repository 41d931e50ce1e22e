"""Bytes of every event version ever released: what is in the log must be readable for ever."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message

FOLDER = Path(__file__).parent / "events"


@dataclass(frozen=True)
class Golden:
    """One event as a release wrote it: its type, its bytes, and what they say."""

    kind: str
    data: bytes
    message: dict[str, Any]

    @classmethod
    def load(cls, path: Path) -> "Golden":
        """Read a file."""
        content = json.loads(path.read_text())
        return cls(content["type"], base64.b64decode(content["data"]), content["message"])

    @classmethod
    def of(cls, event: Message) -> "Golden":
        """Make one of an event of this release."""
        return cls(
            event.DESCRIPTOR.full_name, event.SerializeToString(deterministic=True), said(event)
        )

    def dump(self, path: Path) -> None:
        """Write a file that is not there yet. Raises FileExistsError: what was released stays."""
        data = base64.b64encode(self.data).decode()
        content = {"type": self.kind, "data": data, "message": self.message}
        with path.open("x") as file:
            file.write(json.dumps(content, indent=2, sort_keys=True) + "\n")

    def mistakes(self, event: type[Message]) -> Iterator[str]:
        """Say in what ``event``, a type of today, fails to read these bytes and to keep them."""
        try:
            decoded = event.FromString(self.data)
        except DecodeError as error:
            yield f"{self.kind} cannot be decoded: {error}"
            return
        if said(decoded) != self.message:
            yield f"{self.kind} says {said(decoded)}, not {self.message}"
        if decoded.SerializeToString(deterministic=True) != self.data:
            yield f"{self.kind} is not written as it was read"


def said(message: Message) -> dict[str, Any]:
    """Answer what a message says, by field name; enums by name."""
    return MessageToDict(message, preserving_proto_field_name=True)


def released(kind: str) -> list[Path]:
    """Answer the files of an event type, the oldest release first."""
    return sorted(FOLDER.glob(f"{kind}.[0-9][0-9].json"))


def sample(event: type[Message]) -> Message:
    """Fill every field, each with another value, so that no two can be taken for each other."""
    message = event()
    _fill(message, 0)
    return message


def _fill(message: Any, salt: int) -> None:
    if message.DESCRIPTOR.full_name == "google.protobuf.Timestamp":
        message.seconds, message.nanos = 1_700_000_000 + salt, salt * 1000
        return
    for field in message.DESCRIPTOR.fields:
        there, number = getattr(message, field.name), 10 * field.number + salt
        if field.type == field.TYPE_MESSAGE and field.is_repeated:
            for index in (1, 2):
                _fill(there.add(), number + index)
        elif field.type == field.TYPE_MESSAGE:
            _fill(there, number)
        elif field.is_repeated:
            there.extend([_scalar(field, number + 1), _scalar(field, number + 2)])
        else:
            setattr(message, field.name, _scalar(field, number))


def _scalar(field: Any, number: int) -> Any:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            text = f"{field.name} {number}"
            return text.encode() if field.type == field.TYPE_BYTES else text
        case FieldDescriptor.CPPTYPE_ENUM:
            return field.enum_type.values[-1].number
        case FieldDescriptor.CPPTYPE_BOOL:
            return True
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return number + 0.5
    return number


def covered(kind: str) -> set[str]:
    """Answer the fields, by path, that the released files of a type have set."""
    return set[str]().union(*(_paths(Golden.load(path).message) for path in released(kind)))


def _paths(value: Any, at: str = "") -> set[str]:
    if isinstance(value, dict):
        inner = (_paths(part, f"{at}.{name}") for name, part in value.items())
        return {at}.union(*inner)
    if isinstance(value, list):
        return {at}.union(*(_paths(part, at) for part in value))
    return {at}


def missing(event: type[Message]) -> set[str]:
    """Answer the fields of a type of today, by path, that no released file has."""
    return _paths(said(sample(event))) - covered(event.DESCRIPTOR.full_name)
