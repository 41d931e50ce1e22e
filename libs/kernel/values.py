"""Values that commands are made of: parsed once, valid ever after."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid5

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints

NAMESPACE = UUID("5d1c4d0e-6f0a-5f43-9d0c-0e9a1b1f7c11")
"""Root of every id that is derived and not drawn."""

_ID = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"


class Command(BaseModel):
    """What somebody wants done: imperative, complete, valid."""

    model_config = ConfigDict(frozen=True)


def resource(collection: str) -> AfterValidator:
    """Require a resource name of ``collection``, e.g. `customers/7`."""
    pattern = re.compile(f"{collection}/{_ID}")

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            msg = f"must be '{collection}/' and an id of 1 to 63 of a-z 0-9 -"
            raise ValueError(msg)
        return value

    return AfterValidator(check)


def known(enum: EnumTypeWrapper) -> AfterValidator:
    """Require a value that the contract's ``enum`` names, and not its zero."""
    values = frozenset(enum.values()) - {0}

    def check(value: int) -> int:
        if value not in values:
            msg = "must be one of " + ", ".join(enum.keys()[1:])
            raise ValueError(msg)
        return value

    return AfterValidator(check)


def _actor(value: str) -> str:
    if not re.fullmatch(f"[a-z][A-Za-z]*/{_ID}", value):
        msg = "must be a resource name: 'managers/7', 'functions/service', 'people/7'"
        raise ValueError(msg)
    return value


def _said(value: str) -> str:
    if not value.strip():
        msg = "must say something"
        raise ValueError(msg)
    return value


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Id = Annotated[str, StringConstraints(pattern=f"^{_ID}$")]
"""The last part of a resource name."""

Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]{1,63}$")]
"""A cohort, a segment, a theme."""

Language = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length=35)
]
"""A language tag (BCP 47)."""

Words = Annotated[str, AfterValidator(_said)]
"""Words that say something: not blank."""

Source = Annotated[str, StringConstraints(min_length=1, max_length=100)]
"""A system that things come from, or a thing's id in it."""

Instant = Annotated[datetime, AfterValidator(_utc)]
"""An instant, in UTC."""

Actor = Annotated[str, AfterValidator(_actor)]
"""Who does something, by a resource name: `managers/7`, `functions/service`, `people/7`."""

CustomerName = Annotated[str, resource("customers")]
ManagerName = Annotated[str, resource("managers")]
FeedbackName = Annotated[str, resource("feedback")]
ActionName = Annotated[str, resource("actions")]
NeedName = Annotated[str, resource("needs")]
FunctionName = Annotated[str, resource("functions")]
OfferName = Annotated[str, resource("offers")]
Labels = Annotated[tuple[Label, ...], AfterValidator(_distinct)]
ActionNames = Annotated[tuple[ActionName, ...], AfterValidator(_distinct)]
FeedbackNames = Annotated[tuple[FeedbackName, ...], AfterValidator(_distinct)]
FunctionNames = Annotated[tuple[FunctionName, ...], AfterValidator(_distinct)]
NeedNames = Annotated[tuple[NeedName, ...], AfterValidator(_distinct)]


def _etag(value: Any) -> Any:
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        msg = "is not an etag that was given out"
        raise ValueError(msg)
    return value


Etag = Annotated[int, BeforeValidator(_etag)]
"""The revision of a resource's history, as clients send it back."""


def derived_id(*parts: str) -> str:
    """Answer an id that follows from ``parts``: the same parts, the same id."""
    return str(uuid5(NAMESPACE, "\x1f".join(parts)))


def id_of(name: str) -> str:
    """Answer the id in a resource name: `customers/7` → `7`."""
    return name.partition("/")[2]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799


def timestamp(instant: datetime) -> Timestamp:
    """Answer an instant as the contract writes it; one without a zone is in UTC.

    Timestamp.FromDatetime does the same, several times slower: every event carries one or two.
    """
    since = _utc(instant) - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1000)


def instant(message: Timestamp) -> datetime:
    """Answer a Timestamp as an instant in UTC, to the microsecond.

    Raises ValueError for one that is out of range: outside the years 1 to 9999, or by its nanos.
    """
    if not (_FIRST_SECOND <= message.seconds <= _LAST_SECOND and 0 <= message.nanos < 10**9):
        msg = "is out of range: the years 1 to 9999, nanos 0 to 999,999,999"
        raise ValueError(msg)
    return _EPOCH + timedelta(seconds=message.seconds, microseconds=message.nanos // 1000)


Clock = Callable[[], datetime]
"""Where a runner takes its time from."""
