"""A promise by when feedback is accepted and answered; a later one of the same name replaces it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Self

from equiloop.feedback.v1 import events_pb2 as feedback
from equiloop.feedback.v1 import routing_events_pb2 as events
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from pydantic import Field, model_validator

from libs.kernel.refusals import FieldError, NotFound
from libs.kernel.values import (
    Actor,
    Command,
    Etag,
    Id,
    Label,
    known,
    resource,
    timestamp,
)

_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(days=3650)

SlaName = Annotated[str, resource("slas")]
Within = Annotated[timedelta, Field(ge=_SHORTEST, le=_LONGEST)]


class SetLoopSla(Command):
    """Feedback of some channel, kind and segment shall be accepted and answered in time."""

    sla_id: Id
    by: Actor
    channel: Annotated[int, known(feedback.Channel)] | None = None
    kind: Annotated[int, known(events.FeedbackKind)] | None = None
    segment: Label | None = None
    accept_within: Within | None = None
    close_within: Within | None = None
    escalate_every: Within | None = None
    etag: Etag | None = None

    @property
    def name(self) -> str:
        """The promise's resource name."""
        return f"slas/{self.sla_id}"

    @model_validator(mode="after")
    def _promises_something(self) -> Self:
        if self.accept_within is None and self.close_within is None:
            msg = "close_within or accept_within is needed"
            raise FieldError("close_within", msg)
        return self


class WithdrawLoopSla(Command):
    """The promise holds no more."""

    name: SlaName
    by: Actor
    etag: Etag | None = None


@dataclass(frozen=True, slots=True)
class Sla:
    """A promise as it now is; ``promised`` is None until it was given."""

    promised: events.LoopSlaSet | None = None
    withdrawn: events.LoopSlaWithdrawn | None = None


INITIAL = Sla()


def decide(command: SetLoopSla | WithdrawLoopSla, state: Sla, now: datetime) -> Sequence[Message]:
    """Answer what follows from ``command``."""
    match command:
        case SetLoopSla():
            return _set(command, state, now)
        case WithdrawLoopSla():
            return _withdraw(command, state, now)


def _set(command: SetLoopSla, state: Sla, now: datetime) -> Sequence[Message]:
    wanted = events.LoopSlaSet(
        event_time=timestamp(now),
        sla=command.name,
        channel=feedback.Channel.ValueType(command.channel or 0),
        kind=events.FeedbackKind.ValueType(command.kind or 0),
        segment=command.segment or "",
        accept_within=_message(command.accept_within),
        close_within=_message(command.close_within),
        escalate_every=_message(command.escalate_every),
        by=command.by,
    )
    if state.promised is not None and state.withdrawn is None:
        same = events.LoopSlaSet()
        same.CopyFrom(wanted)
        same.event_time.CopyFrom(state.promised.event_time)
        same.by = state.promised.by
        if same == state.promised:
            return []
    return [wanted]


def _message(within: timedelta | None) -> Duration | None:
    if within is None:
        return None
    message = Duration()
    message.FromTimedelta(within)
    return message


def _withdraw(command: WithdrawLoopSla, state: Sla, now: datetime) -> Sequence[Message]:
    if state.promised is None:
        raise NotFound(command.name)
    if state.withdrawn is not None:
        return []
    return [events.LoopSlaWithdrawn(event_time=timestamp(now), sla=command.name, by=command.by)]


def evolve(state: Sla, event: Message) -> Sla:
    """Answer ``state`` after ``event``."""
    match event:
        case events.LoopSlaSet():
            return Sla(event)
        case events.LoopSlaWithdrawn():
            return Sla(state.promised, event)
    return state
