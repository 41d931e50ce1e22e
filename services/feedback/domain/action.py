"""One action: committed because of feedback or needs, then done or refused, then told.

The rule that this system is for: a loop closes only on a completed action or a reasoned refusal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Annotated, Self

from equiloop.feedback.v1 import events_pb2 as events
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from pydantic import Field, model_validator

from libs.kernel.refusals import AlreadyExists, FieldError, NotFound, Refusal
from libs.kernel.values import (
    ActionName,
    Command,
    Etag,
    FeedbackName,
    FeedbackNames,
    FunctionName,
    Instant,
    NeedNames,
    Words,
    known,
    timestamp,
)

_MAX_LINKS = 1000


class CommitAction(Command):
    """The organisation promises to do something about feedback or needs."""

    action: ActionName
    kind: Annotated[int, known(events.ActionKind)]
    title: Annotated[Words, Field(max_length=500)]
    owner: FunctionName
    feedback: Annotated[FeedbackNames, Field(max_length=_MAX_LINKS)] = ()
    needs: Annotated[NeedNames, Field(max_length=_MAX_LINKS)] = ()
    due_date: date | None = None

    @model_validator(mode="after")
    def _answers_something(self) -> Self:
        if not self.feedback and not self.needs:
            msg = "feedback or needs is needed: an action answers somebody"
            raise FieldError("feedback", msg)
        return self


class CompleteAction(Command):
    """What was promised is done."""

    name: ActionName
    outcome: Annotated[Words, Field(max_length=2000)]
    etag: Etag | None = None


class DeclineAction(Command):
    """What was promised will not be done, for a reason that customers can be told."""

    name: ActionName
    reason: Annotated[Words, Field(max_length=2000)]
    etag: Etag | None = None


class CloseLoop(Command):
    """Customers were told what was done, or why it was not."""

    name: ActionName
    channel: Annotated[int, known(events.Channel)]
    message: Annotated[Words, Field(max_length=2000)]
    feedback: Annotated[FeedbackNames, Field(max_length=_MAX_LINKS)] = ()
    told_time: Instant | None = None
    etag: Etag | None = None


ActionCommand = CommitAction | CompleteAction | DeclineAction | CloseLoop


@dataclass(frozen=True, slots=True)
class Action:
    """An action as it now is; ``committed`` is None until it was."""

    committed: events.ActionCommitted | None = None
    ended: events.ActionCompleted | events.ActionDeclined | None = None
    told: frozenset[FeedbackName] = field(default_factory=frozenset)
    changed: Timestamp | None = None


INITIAL = Action()


def decide(command: ActionCommand, state: Action, now: datetime) -> Sequence[Message]:
    """Answer what follows from ``command``."""
    if isinstance(command, CommitAction):
        return _commit(command, state, now)
    if state.committed is None:
        raise NotFound(command.name)
    match command:
        case CompleteAction():
            return _complete(command, state, state.committed, now)
        case DeclineAction():
            return _decline(command, state, state.committed, now)
        case CloseLoop():
            return _close(command, state, state.committed, now)


def _commit(command: CommitAction, state: Action, now: datetime) -> Sequence[Message]:
    if state.committed is not None:
        message = f"{command.action!r} was committed before"
        raise AlreadyExists("ACTION_EXISTS", message, action=command.action)
    day = command.due_date
    due = None if day is None else Date(year=day.year, month=day.month, day=day.day)
    return [
        events.ActionCommitted(
            event_time=timestamp(now),
            action=command.action,
            kind=events.ActionKind.ValueType(command.kind),
            title=command.title,
            feedback=command.feedback,
            needs=command.needs,
            owner=command.owner,
            due_date=due,
        )
    ]


def _complete(
    command: CompleteAction, state: Action, committed: events.ActionCommitted, now: datetime
) -> Sequence[Message]:
    _still_open(state)
    return [
        events.ActionCompleted(
            event_time=timestamp(now),
            action=command.name,
            outcome=command.outcome,
            feedback=committed.feedback,
        )
    ]


def _decline(
    command: DeclineAction, state: Action, committed: events.ActionCommitted, now: datetime
) -> Sequence[Message]:
    _still_open(state)
    return [
        events.ActionDeclined(
            event_time=timestamp(now),
            action=command.name,
            reason=command.reason,
            feedback=committed.feedback,
        )
    ]


def _still_open(state: Action) -> None:
    if state.ended is not None:
        verb = "completed" if isinstance(state.ended, events.ActionCompleted) else "declined"
        message = f"{state.ended.action!r} was {verb} before"
        raise Refusal("ACTION_ENDED", message, action=state.ended.action)


def _close(
    command: CloseLoop, state: Action, committed: events.ActionCommitted, now: datetime
) -> Sequence[Message]:
    if state.ended is None:
        message = f"{command.name!r} is neither completed nor declined: there is nothing to tell"
        raise Refusal("NOTHING_TO_TELL", message, action=command.name)
    strange = sorted(set(command.feedback) - set(committed.feedback))
    if strange:
        message = f"{command.name!r} does not answer {', '.join(strange[:10])}"
        raise Refusal("NOT_LINKED", message, action=command.name, feedback=strange[0])
    told = command.feedback or committed.feedback
    return [
        events.LoopClosed(
            event_time=timestamp(now),
            action=command.name,
            feedback=feedback,
            channel=events.Channel.ValueType(command.channel),
            message=command.message,
            told_time=timestamp(command.told_time or now),
        )
        for feedback in told
        if feedback not in state.told
    ]


def evolve(state: Action, event: Message) -> Action:
    """Answer ``state`` after ``event``."""
    match event:
        case events.ActionCommitted():
            return replace(state, committed=event, changed=event.event_time)
        case events.ActionCompleted() | events.ActionDeclined():
            return replace(state, ended=event, changed=event.event_time)
        case events.LoopClosed():
            told = state.told | {event.feedback}
            return replace(state, told=told, changed=event.event_time)
    return state
