"""The end of a loop: customers are told, and say what they think of it.

The rule that this system is for: a loop closes only on a completed action or a reasoned refusal,
and it is open again once the customer protests.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated

from equiloop.feedback.v1 import events_pb2 as events
from google.protobuf.message import Message
from pydantic import Field

from libs.kernel.refusals import NotFound, Refusal
from libs.kernel.values import (
    ActionName,
    Actor,
    Command,
    CustomerName,
    Etag,
    FeedbackName,
    FeedbackNames,
    Instant,
    Words,
    known,
    timestamp,
)
from services.feedback.domain.action import Action, Promise, moment
from services.feedback.domain.promise import MAX_LINKS

PERSONAL_CHANNELS = frozenset(
    {
        events.CHANNEL_EMAIL,
        events.CHANNEL_PHONE,
        events.CHANNEL_CHAT,
        events.CHANNEL_INTERVIEW,
        events.CHANNEL_OFFER_RESPONSE,
    }
)
"""Where only somebody known can be told. Elsewhere whoever said it can read it: a page, a post,
the answer below a review, a board in the shop."""


class CloseLoop(Command):
    """Customers were told what was done, or why it was not.

    ``authors`` says who said which feedback, as is known by now (empty: unknown); nobody is told
    whose feedback is not in it.
    """

    name: ActionName
    channel: Annotated[int, known(events.Channel)]
    message: Annotated[Words, Field(max_length=2000)]
    feedback: Annotated[FeedbackNames, Field(max_length=MAX_LINKS)] = ()
    told_time: Instant | None = None
    told_by: Actor | None = None
    authors: Mapping[FeedbackName, CustomerName | None] = Field(default_factory=dict)
    etag: Etag | None = None


class ConfirmLoop(Command):
    """The customer agrees that what was told is an answer."""

    name: ActionName
    feedback: FeedbackName
    words: Annotated[str, Field(max_length=2000)] = ""
    respond_time: Instant | None = None
    author: CustomerName | None = None
    etag: Etag | None = None


class ProtestLoop(Command):
    """The customer does not agree: there is still something to be done, or said."""

    name: ActionName
    feedback: FeedbackName
    reason: Annotated[Words, Field(max_length=2000)]
    respond_time: Instant | None = None
    author: CustomerName | None = None
    etag: Etag | None = None


LoopCommand = CloseLoop | ConfirmLoop | ProtestLoop


def decide(command: LoopCommand, state: Action, now: datetime) -> Sequence[Message]:
    """Answer what follows from ``command``."""
    if state.promise is None:
        raise NotFound(command.name)
    match command:
        case CloseLoop():
            return _close(command, state, state.promise, now)
        case ConfirmLoop():
            return _confirm(command, state, now)
        case ProtestLoop():
            return _protest(command, state, now)


def _close(command: CloseLoop, state: Action, promise: Promise, now: datetime) -> Sequence[Message]:
    if state.ended is None:
        message = f"{command.name!r} is neither completed nor declined: there is nothing to tell"
        raise Refusal("NOTHING_TO_TELL", message, action=command.name)
    _all_linked(command.name, command.feedback, state)
    told = _can_be_told(command, state)
    at = moment(
        "told_time",
        command.told_time,
        now,
        after=max((state.since, *(state.feedback[name] for name in told))),
    )
    return [
        events.LoopClosed(
            event_time=timestamp(now),
            action=command.name,
            feedback=name,
            channel=events.Channel.ValueType(command.channel),
            message=command.message,
            told_time=timestamp(at),
            told_by=command.told_by or promise.owner,
            customer=command.authors[name] or "",
        )
        for name in told
    ]


def _can_be_told(command: CloseLoop, state: Action) -> list[FeedbackName]:
    """Answer who is told: all who wait, or none of those named if one of them cannot be."""
    asked = command.feedback or sorted(state.feedback)
    waiting = [name for name in asked if name in command.authors and name not in state.told]
    hindrances = {name: _hindrance(command, state, name) for name in waiting}
    told = [name for name, hindrance in hindrances.items() if hindrance is None]
    for hindrance in filter(None, hindrances.values()):
        if command.feedback or not told:
            raise hindrance
    return told


def _hindrance(command: CloseLoop, state: Action, name: FeedbackName) -> Refusal | None:
    if name in state.protested:
        message = f"the customer of {name!r} did not take this for an answer: reopen the action"
        return Refusal("PROTESTED", message, action=command.name, feedback=name)
    if not command.authors[name] and command.channel in PERSONAL_CHANNELS:
        channel = events.Channel.Name(events.Channel.ValueType(command.channel))
        message = f"nobody knows who said {name!r}: {channel} reaches only who is known"
        return Refusal("AUTHOR_UNKNOWN", message, action=command.name, feedback=name)
    return None


def _all_linked(action: ActionName, names: Iterable[FeedbackName], state: Action) -> None:
    strange = sorted(set(names) - state.feedback.keys())
    if strange:
        message = f"{action!r} does not answer {', '.join(strange[:10])}"
        raise Refusal("NOT_LINKED", message, action=action, feedback=strange[0])


def _confirm(command: ConfirmLoop, state: Action, now: datetime) -> Sequence[Message]:
    at = _respond_time(command, state, now)
    if command.feedback in state.confirmed and not command.words.strip():
        return []
    return [
        events.LoopConfirmed(
            event_time=timestamp(now),
            action=command.name,
            feedback=command.feedback,
            customer=command.author or "",
            words=command.words,
            respond_time=timestamp(at),
        )
    ]


def _protest(command: ProtestLoop, state: Action, now: datetime) -> Sequence[Message]:
    at = _respond_time(command, state, now)
    return [
        events.LoopProtested(
            event_time=timestamp(now),
            action=command.name,
            feedback=command.feedback,
            customer=command.author or "",
            reason=command.reason,
            respond_time=timestamp(at),
        )
    ]


def _respond_time(command: ConfirmLoop | ProtestLoop, state: Action, now: datetime) -> datetime:
    """Answer when the customer answered; raise what speaks against there being an answer."""
    _all_linked(command.name, [command.feedback], state)
    told = state.told.get(command.feedback)
    if told is None:
        message = f"{command.name!r} does not hold the loop of {command.feedback!r} closed"
        raise Refusal("LOOP_NOT_CLOSED", message, action=command.name, feedback=command.feedback)
    return moment("respond_time", command.respond_time, now, after=told)
