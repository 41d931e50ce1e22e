"""Requests become commands here: a message in, a pydantic model out, every wrong field named."""

from collections.abc import Callable
from datetime import UTC, date
from typing import Any, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money
from pydantic import BaseModel, ValidationError

from libs.kernel.refusals import Invalid, Violation

M = TypeVar("M", bound=BaseModel)

_CONVERT: dict[type[Message], Callable[[Any], Any]] = {
    Timestamp: lambda value: value.ToDatetime(tzinfo=UTC),
    Date: lambda value: date(value.year, value.month, value.day),
    Money: lambda value: value,
    FieldMask: lambda value: list(value.paths),
}


def _value(value: Any) -> Any:
    if isinstance(value, Message):
        convert: Callable[[Any], Any] = _CONVERT.get(type(value), fields)
        return convert(value)
    return value


def fields(message: Message) -> dict[str, Any]:
    """Answer the fields that are set, by name: what is not set is for the model to default."""
    values: dict[str, Any] = {}
    for descriptor, value in message.ListFields():
        if descriptor.type == descriptor.TYPE_MESSAGE:
            try:
                values[descriptor.name] = (
                    [_value(item) for item in value] if descriptor.is_repeated else _value(value)
                )
            except (ValueError, OverflowError) as error:
                raise Invalid.field(descriptor.name, str(error)) from None
        else:
            values[descriptor.name] = list(value) if descriptor.is_repeated else value
    return values


def parse(model: type[M], message: Message, **more: Any) -> M:
    """Parse ``message`` into ``model``; ``more`` adds or replaces fields.

    Raises Invalid with every violation.
    """
    try:
        return model.model_validate(fields(message) | more)
    except ValidationError as error:
        raise Invalid(violations(error)) from None


def violations(error: ValidationError) -> list[Violation]:
    """Answer what pydantic found as paths that a client knows: `score.value`, `segments[2]`."""
    found = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        path = ""
        for part in item["loc"]:
            path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
        description = item["msg"].removeprefix("Value error, ")
        found.append(Violation(path or "request", description))
    return found
