"""One digest: what the market said, frozen when it is delivered, then read or taken upwards."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Self

from equiloop.feedback.v1 import market_events_pb2 as events
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import Field, model_validator

from libs.kernel.refusals import FieldError, Invalid, NotFound
from libs.kernel.times import not_ahead
from libs.kernel.values import (
    Actor,
    Command,
    Etag,
    FunctionName,
    Instant,
    Labels,
    ManagerName,
    instant,
    resource,
    timestamp,
)

MOST_LEVELS = 10
"""How far up an unread digest is taken at most."""

DigestName = Annotated[str, resource("digests")]
Themes = Annotated[Labels, Field(max_length=100)]
Within = Annotated[timedelta, Field(ge=timedelta(minutes=1), le=timedelta(days=366))]


class DeliverDigest(Command):
    """What the market said in a window is brought before a function."""

    digest: DigestName
    function: FunctionName
    start_time: Instant
    end_time: Instant | None = None
    acknowledge_by: Instant | None = None
    acknowledge_within: Within | None = None
    only_themes: Themes = ()
    scheduled: bool = False

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if (self.acknowledge_by is None) == (self.acknowledge_within is None):
            msg = "acknowledge_by or acknowledge_within is needed, and not both"
            raise FieldError("acknowledge_by", msg)
        if self.end_time is not None and self.start_time >= self.end_time:
            msg = "must be after start_time"
            raise FieldError("end_time", msg)
        return self


class AcknowledgeDigest(Command):
    """Somebody in the function has read it."""

    name: DigestName
    by: Actor
    note: Annotated[str, Field(max_length=2000)] = ""
    etag: Etag | None = None


class EscalateDigest(Command):
    """Nobody had read it in time: somebody above is told, or nobody if there is none."""

    name: DigestName
    level: int
    to: ManagerName | None = None


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest as it now is; ``delivered`` is None until it was."""

    delivered: events.MarketDigestDelivered | None = None
    acknowledged: events.DigestAcknowledged | None = None
    escalations: tuple[events.DigestEscalated, ...] = ()
    changed: Timestamp | None = None


INITIAL = Digest()


def check(command: DeliverDigest, now: datetime) -> DeliverDigest:
    """Answer the command with its window ended. Raises Invalid for one that lies ahead."""
    not_ahead("start_time", command.start_time, now)
    end = command.end_time or now
    not_ahead("end_time", end, now)
    if command.start_time >= end:
        raise Invalid.field("start_time", "must be before end_time, or before now without one")
    if command.acknowledge_by is not None and command.acknowledge_by <= now:
        raise Invalid.field("acknowledge_by", "must be in the future")
    return command.model_copy(update={"end_time": end})


def deliver(
    command: DeliverDigest, figures: events.MarketDigestDelivered, state: Digest, now: datetime
) -> Sequence[Message]:
    """Answer what follows: ``figures`` of this window as of now, frozen; a second time nothing."""
    if state.delivered is not None:
        return []
    event = events.MarketDigestDelivered()
    event.CopyFrom(figures)
    event.event_time.CopyFrom(timestamp(now))
    event.digest, event.function = command.digest, command.function
    event.scheduled = command.scheduled
    event.start_time.CopyFrom(timestamp(command.start_time))
    event.end_time.CopyFrom(timestamp(command.end_time or now))
    by = command.acknowledge_by or now + (command.acknowledge_within or timedelta())
    event.acknowledge_by.CopyFrom(timestamp(by))
    event.only_themes[:] = command.only_themes
    return [event]


def decide(
    command: AcknowledgeDigest | EscalateDigest, state: Digest, now: datetime
) -> Sequence[Message]:
    """Answer what follows from ``command``."""
    if state.delivered is None:
        raise NotFound(command.name)
    if state.acknowledged is not None:
        return []
    match command:
        case AcknowledgeDigest():
            return [
                events.DigestAcknowledged(
                    event_time=timestamp(now),
                    digest=command.name,
                    function=state.delivered.function,
                    by=command.by,
                    note=command.note,
                )
            ]
        case EscalateDigest():
            return _escalate(command, state, state.delivered, now)


def deadline(delivered: events.MarketDigestDelivered, level: int) -> datetime:
    """Answer when the step to ``level`` (from 1) is due: each as long after the one before.

    That is as long as the function had to read it; never less than a minute.
    """
    first = instant(delivered.acknowledge_by)
    step = max(first - instant(delivered.event_time), timedelta(minutes=1))
    return first + (level - 1) * step


def _escalate(
    command: EscalateDigest, state: Digest, delivered: events.MarketDigestDelivered, now: datetime
) -> Sequence[Message]:
    """Take it up one step, once, and not before its time."""
    due = deadline(delivered, command.level)
    if command.level != len(state.escalations) + 1 or command.level > MOST_LEVELS or now < due:
        return []
    return [
        events.DigestEscalated(
            event_time=timestamp(now),
            digest=command.name,
            function=delivered.function,
            level=command.level,
            to=command.to or "",
            deadline=timestamp(due),
        )
    ]


def evolve(state: Digest, event: Message) -> Digest:
    """Answer ``state`` after ``event``."""
    match event:
        case events.MarketDigestDelivered():
            return replace(state, delivered=event, changed=event.event_time)
        case events.DigestAcknowledged():
            return replace(state, acknowledged=event, changed=event.event_time)
        case events.DigestEscalated():
            steps = (*state.escalations, event)
            return replace(state, escalations=steps, changed=event.event_time)
    return state
