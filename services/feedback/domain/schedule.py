"""When a function hears the market: one schedule for each, set anew or withdrawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from equiloop.feedback.v1 import market_events_pb2 as events
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import Field

from libs.kernel.refusals import NotFound, Refusal
from libs.kernel.times import not_ahead
from libs.kernel.values import (
    Command,
    Etag,
    FunctionName,
    Instant,
    Words,
    id_of,
    resource,
    timestamp,
)
from services.feedback.domain.digest import Themes, Within

Every = Annotated[timedelta, Field(ge=timedelta(hours=1), le=timedelta(days=366))]


class SetDigestSchedule(Command):
    """A function shall hear the market regularly."""

    function: FunctionName
    every: Every
    acknowledge_within: Within
    only_themes: Themes = ()
    start_time: Instant | None = None
    etag: Etag | None = None

    @property
    def name(self) -> str:
        """The schedule's resource name: a function has one."""
        return f"digestSchedules/{id_of(self.function)}"


class WithdrawDigestSchedule(Command):
    """It shall not any more."""

    name: Annotated[str, resource("digestSchedules")]
    reason: Annotated[Words, Field(max_length=2000)]
    etag: Etag | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule as it now is; ``terms`` are None until it was set."""

    terms: events.DigestScheduleSet | None = None
    withdrawn: bool = False
    since: Timestamp | None = None
    changed: Timestamp | None = None


INITIAL = Schedule()


def decide(
    command: SetDigestSchedule | WithdrawDigestSchedule, state: Schedule, now: datetime
) -> Sequence[Message]:
    """Answer what follows from ``command``."""
    match command:
        case SetDigestSchedule():
            return _set(command, now)
        case WithdrawDigestSchedule():
            return _withdraw(command, state, now)


def _set(command: SetDigestSchedule, now: datetime) -> Sequence[Message]:
    start = command.start_time or now
    not_ahead("start_time", start, now)
    return [
        events.DigestScheduleSet(
            event_time=timestamp(now),
            schedule=command.name,
            function=command.function,
            every=_duration(command.every),
            acknowledge_within=_duration(command.acknowledge_within),
            only_themes=command.only_themes,
            start_time=timestamp(start),
        )
    ]


def _withdraw(command: WithdrawDigestSchedule, state: Schedule, now: datetime) -> Sequence[Message]:
    if state.terms is None:
        raise NotFound(command.name)
    if state.withdrawn:
        message = f"{command.name!r} was withdrawn before"
        raise Refusal("SCHEDULE_WITHDRAWN", message, schedule=command.name)
    return [
        events.DigestScheduleWithdrawn(
            event_time=timestamp(now),
            schedule=command.name,
            function=state.terms.function,
            reason=command.reason,
        )
    ]


def _duration(span: timedelta) -> Duration:
    message = Duration()
    message.FromTimedelta(span)
    return message


def evolve(state: Schedule, event: Message) -> Schedule:
    """Answer ``state`` after ``event``."""
    match event:
        case events.DigestScheduleSet():
            since = state.since or event.event_time
            return Schedule(event, withdrawn=False, since=since, changed=event.event_time)
        case events.DigestScheduleWithdrawn():
            return Schedule(
                state.terms, withdrawn=True, since=state.since, changed=event.event_time
            )
    return state
