"""Requests become commands here: a message in, a pydantic model out, every wrong field named."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, TypeVar
from uuid import UUID

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money
from pydantic import BaseModel, Field, ValidationError

from libs.kernel.refusals import FieldError, Invalid, Violation
from libs.kernel.values import Etag, instant

M = TypeVar("M", bound=BaseModel)

_CONVERT: dict[type[Message], Callable[[Any], Any]] = {
    Timestamp: instant,
    Date: lambda value: date(value.year, value.month, value.day),
    Duration: lambda value: value.ToTimedelta(),
    Money: lambda value: value,
    FieldMask: lambda value: list(value.paths),
}


class _Envelope(BaseModel):
    """What requests carry beside their content."""

    request_id: UUID | None = None
    etag: Etag | None = None
    page_size: Annotated[int, Field(ge=0)] = 0


def parse(model: type[M], message: Message, **more: Any) -> M:
    """Parse ``message`` into ``model``; ``more`` adds or replaces fields.

    Raises Invalid with every violation, also those of request_id, etag and page_size.
    """
    wrong: list[Violation] = []
    given = _fields(message, "", wrong) | more
    if not _Envelope.model_fields.keys().isdisjoint(given):
        _check(_Envelope, given, wrong)
    command = _check(model, given, wrong)
    if wrong or command is None:
        raise Invalid(wrong)
    return command


def _check(model: type[M], given: dict[str, Any], wrong: list[Violation]) -> M | None:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        named = {violation.field for violation in wrong}
        wrong += [each for each in violations(error) if each.field not in named]
        return None


def _fields(message: Message, at: str, wrong: list[Violation]) -> dict[str, Any]:
    """Answer the fields that are set, by name: what is not set is for the model to default."""
    values: dict[str, Any] = {}
    for field, value in message.ListFields():
        path = at + field.name
        if field.type != field.TYPE_MESSAGE:
            values[field.name] = list(value) if field.is_repeated else value
        elif field.is_repeated:
            items = enumerate(value)
            values[field.name] = [_value(item, f"{path}[{i}]", wrong) for i, item in items]
        else:
            values[field.name] = _value(value, path, wrong)
    return values


def _value(message: Message, path: str, wrong: list[Violation]) -> Any:
    convert = _CONVERT.get(type(message))
    if convert is None:
        return _fields(message, path + ".", wrong)
    try:
        return convert(message)
    except (ValueError, OverflowError) as error:
        wrong.append(Violation(path, str(error)))
        return None  # whatever the model thinks of that, the path is named already


def violations(error: ValidationError) -> list[Violation]:
    """Answer what pydantic found as paths that a client knows: `score.value`, `segments[2]`."""
    found = []
    for item in error.errors(include_url=False, include_input=False):
        cause = item.get("ctx", {}).get("error")
        place = (*item["loc"], cause.field) if isinstance(cause, FieldError) else item["loc"]
        path = ""
        for part in place:
            path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
        found.append(Violation(path or "request", item["msg"].removeprefix("Value error, ")))
    return found
