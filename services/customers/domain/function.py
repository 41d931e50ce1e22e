"""One function: a part of the organisation that owns work, led by somebody or by nobody yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from equiloop.customers.v1 import organisation_events_pb2 as events
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import AfterValidator, Field

from libs.kernel.refusals import AlreadyExists, NotFound
from libs.kernel.values import (
    Command,
    Etag,
    FunctionName,
    Id,
    Labels,
    ManagerName,
    timestamp,
)
from services.customers.domain.tree import not_below

_FIELDS = frozenset({"display_name", "head", "parent", "journey_fragments"})


def _paths(paths: frozenset[str]) -> frozenset[str]:
    unknown = sorted(paths - _FIELDS - {"*"})
    if unknown:
        msg = f"unknown path {', '.join(map(repr, unknown))}: there are {sorted(_FIELDS)}"
        raise ValueError(msg)
    return _FIELDS if not paths or "*" in paths else paths


class Place(Command):
    """How a function is called, led, placed and charged."""

    display_name: Annotated[str, Field(max_length=200)] = ""
    head: ManagerName | None = None
    parent: FunctionName | None = None
    journey_fragments: Annotated[Labels, Field(max_length=100)] = ()


class RegisterFunction(Place):
    """A part of the organisation shall be known.

    ``above`` is its parent with all functions above that, as the log has them.
    """

    function_id: Id
    above: tuple[FunctionName, ...] = ()

    @property
    def name(self) -> str:
        """The function's resource name."""
        return f"functions/{self.function_id}"


class Changed(Place):
    """The fields of a function as they shall be."""

    name: FunctionName
    etag: Etag | None = None


class UpdateFunction(Command):
    """A function shall change, in the fields of ``update_mask``.

    ``above`` is the parent-to-be with all functions above that, as the log has them.
    """

    function: Changed
    update_mask: Annotated[frozenset[str], AfterValidator(_paths)] = _FIELDS
    above: tuple[FunctionName, ...] = ()

    @property
    def name(self) -> str:
        """The function to be changed."""
        return self.function.name

    @property
    def etag(self) -> int | None:
        """The revision in which the caller has seen the function."""
        return self.function.etag

    @property
    def parent(self) -> str | None:
        """The function that it shall be a part of, if that is to change and not the top."""
        return self.function.parent if "parent" in self.update_mask else None


@dataclass(frozen=True, slots=True)
class Function:
    """A function as it now is; ``present`` is None until it was registered."""

    present: events.FunctionRegistered | events.FunctionChanged | None = None
    registered: Timestamp | None = None

    @property
    def parent(self) -> str:
        """The function that it is a part of; empty at the top, and while it is not known."""
        return self.present.parent if self.present else ""


INITIAL = Function()


def decide(
    command: RegisterFunction | UpdateFunction, state: Function, now: datetime
) -> Sequence[Message]:
    """Answer what follows from ``command``."""
    match command:
        case RegisterFunction():
            return _register(command, state, now)
        case UpdateFunction():
            return _update(command, state, now)


def _register(command: RegisterFunction, state: Function, now: datetime) -> Sequence[Message]:
    wanted = events.FunctionRegistered(
        event_time=timestamp(now),
        function=command.name,
        display_name=command.display_name,
        head=command.head or "",
        parent=command.parent or "",
        journey_fragments=command.journey_fragments,
    )
    if state.present is None:
        not_below(command.name, command.above)
        return [wanted]
    if _content(wanted) == _content(state.present):
        return []
    message = f"{command.name!r} was registered before, with other content"
    raise AlreadyExists("FUNCTION_EXISTS", message, function=command.name)


def _update(command: UpdateFunction, state: Function, now: datetime) -> Sequence[Message]:
    known, wanted = state.present, command.function
    if known is None:
        raise NotFound(command.name)
    fields = {
        field: getattr(wanted if field in command.update_mask else known, field) or ""
        for field in _FIELDS - {"journey_fragments"}
    }
    is_charged = "journey_fragments" in command.update_mask
    fragments = wanted.journey_fragments if is_charged else known.journey_fragments
    changed = events.FunctionChanged(
        event_time=timestamp(now),
        function=command.name,
        journey_fragments=fragments,
        **fields,
    )
    if _content(changed) == _content(known):
        return []
    if fields["parent"] != known.parent:
        not_below(command.name, command.above)
    return [changed]


def _content(event: events.FunctionRegistered | events.FunctionChanged) -> tuple[object, ...]:
    fragments = tuple(event.journey_fragments)
    return event.display_name, event.head, event.parent, fragments


def evolve(state: Function, event: Message) -> Function:
    """Answer ``state`` after ``event``."""
    match event:
        case events.FunctionRegistered():
            return Function(event, event.event_time)
        case events.FunctionChanged():
            return Function(event, state.registered)
    return state
