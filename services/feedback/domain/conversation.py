"""One conversation with one customer: turns of both sides, and what was asked and given."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Self

from equiloop.feedback.v1 import conversation_events_pb2 as events
from equiloop.feedback.v1 import events_pb2 as feedback
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import AfterValidator, Field, model_validator

from libs.kernel.refusals import AlreadyExists, FieldError, Invalid, NotFound, Refusal
from libs.kernel.times import not_ahead
from libs.kernel.values import (
    ActionNames,
    Command,
    CustomerName,
    FeedbackNames,
    FunctionName,
    Instant,
    Language,
    Source,
    Words,
    instant,
    known,
    resource,
    timestamp,
)

MOST_TURNS = 5_000
"""Most turns of one conversation."""

CUSTOMER, ORGANISATION = events.SIDE_CUSTOMER, events.SIDE_ORGANISATION
Side = Annotated[int, known(events.Side)]
ConversationName = Annotated[str, resource("conversations")]
_TURN = re.compile(r"(conversations/[a-z0-9-]{1,63})/turns/([1-9][0-9]{0,8})")


def _turn(value: str) -> str:
    if not _TURN.fullmatch(value):
        msg = "must be 'conversations/', an id, '/turns/' and a number"
        raise ValueError(msg)
    return value


TurnName = Annotated[str, AfterValidator(_turn)]


def turn_of(name: str) -> tuple[str, int]:
    """Answer the conversation and the number of a turn, from its name."""
    conversation, _, number = name.partition("/turns/")
    return conversation, int(number)


class Said(Command):
    """What one side says. ``conversation`` is new if nobody named it: ``begins``."""

    conversation: ConversationName
    begins: bool = False
    customer: CustomerName | None = None
    function: FunctionName | None = None
    channel: Annotated[int, known(feedback.Channel)]
    language_code: Language | None = None
    text: Annotated[Words, Field(max_length=10_000)]
    say_time: Instant | None = None
    feedback: Annotated[FeedbackNames, Field(max_length=100)] = ()
    actions: Annotated[ActionNames, Field(max_length=100)] = ()
    source: Source | None = None
    source_id: Source | None = None
    thread_id: Source | None = None

    @property
    def side(self) -> events.Side.ValueType:
        """Who speaks, where the command says that."""
        return events.SIDE_UNSPECIFIED

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.source is None) != (self.source_id is None):
            missing = "source" if self.source is None else "source_id"
            raise FieldError(missing, "source and source_id go together")
        if self.thread_id is not None and (self.source is None or not self.begins):
            msg = "goes with source and source_id, and without conversation"
            raise FieldError("thread_id", msg)
        if self.begins and self.customer is None:
            msg = "is needed unless conversation is given"
            raise FieldError("customer", msg)
        if self.side == ORGANISATION and self.function is None:
            raise FieldError("function", "is needed: it speaks for us")
        return self


class SendMessage(Said):
    """We say something."""

    @property
    def side(self) -> events.Side.ValueType:
        """We speak."""
        return ORGANISATION


class ReceiveMessage(Said):
    """The customer says something."""

    @property
    def side(self) -> events.Side.ValueType:
        """The customer speaks."""
        return CUSTOMER


class ImportMessage(Said):
    """A message of another system, which can say it again."""

    said_by: Side
    customer: CustomerName
    say_time: Instant
    source: Source
    source_id: Source

    @property
    def side(self) -> events.Side.ValueType:
        """Who spoke there."""
        return events.Side.ValueType(self.said_by)


class RequestInformation(Said):
    """One side asks the other."""

    asked_by: Side

    @property
    def side(self) -> events.Side.ValueType:
        """Who asks."""
        return events.Side.ValueType(self.asked_by)


class GiveInformation(Said):
    """The side that was asked answers."""

    request: TurnName


@dataclass(frozen=True, slots=True)
class Known:
    """A turn that another system sent: its content, when it was said, and its number."""

    content: bytes
    say_time: Timestamp
    number: int


_Event = (
    events.MessageSent
    | events.MessageReceived
    | events.InformationRequested
    | events.InformationGiven
)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation as it now is; ``count`` is 0 until somebody spoke.

    ``asked`` are the turns that asked, by the side that did; ``given`` those that were answered.
    """

    customer: str = ""
    count: int = 0
    received: int = 0
    asked: Mapping[int, int] = field(default_factory=dict)
    given: frozenset[int] = frozenset()
    sourced: Mapping[tuple[str, str], Known] = field(default_factory=dict)
    last: _Event | None = None
    since: Timestamp | None = None


INITIAL = Conversation()


def decide(command: Said, state: Conversation, now: datetime) -> Sequence[Message]:
    """Answer the turn that follows; none for one that was said before, in the same words."""
    if not state.count and not command.begins:
        raise NotFound(command.conversation, "conversation")
    if state.customer and command.customer and state.customer != command.customer:
        message = f"{command.conversation!r} is one with another customer"
        raise Refusal("OTHER_CUSTOMER", message, conversation=command.conversation)
    side = command.side or _answering(command, state)
    turn = _said(command, state, side, now)
    before = state.sourced.get((turn.source, turn.source_id)) if turn.source else None
    if before is not None:
        if _content(turn) == before.content and command.say_time in {
            None,
            instant(before.say_time),
        }:
            return []
        message = f"{command.source!r} has sent {command.source_id!r} before, with other content"
        raise AlreadyExists("SOURCE_ID_REUSED", message, conversation=command.conversation)
    if state.count >= MOST_TURNS:
        message = f"{command.conversation!r} holds {MOST_TURNS} turns: go on in a new one"
        raise Refusal("CONVERSATION_FULL", message, conversation=command.conversation)
    if command.say_time is not None:
        not_ahead("say_time", command.say_time, now)
    return [_event(command, state, turn, now)]


def _said(
    command: Said, state: Conversation, side: events.Side.ValueType, now: datetime
) -> events.Turn:
    return events.Turn(
        turn=f"{command.conversation}/turns/{state.count + 1}",
        customer=state.customer or command.customer or "",
        said_by=side,
        function=command.function or "",
        channel=feedback.Channel.ValueType(command.channel),
        language_code=command.language_code or "",
        text=command.text,
        say_time=timestamp(command.say_time or now),
        feedback=command.feedback,
        actions=command.actions,
        source=command.source or "",
        source_id=command.source_id or "",
    )


def _answering(command: Said, state: Conversation) -> events.Side.ValueType:
    """Answer the side that was asked, whose turn it is."""
    assert isinstance(command, GiveInformation)
    _, number = turn_of(command.request)
    if number > state.count:
        raise NotFound(command.request, "request")
    if number not in state.asked:
        message = f"{command.request!r} did not ask for information"
        raise Refusal("NOTHING_ASKED", message, turn=command.request)
    if state.asked[number] == ORGANISATION:
        return CUSTOMER
    if command.function is None:
        raise Invalid.field("function", "is needed: it speaks for us")
    return ORGANISATION


def _event(command: Said, state: Conversation, turn: events.Turn, now: datetime) -> Message:
    at, conversation = timestamp(now), command.conversation
    match command:
        case RequestInformation():
            return events.InformationRequested(event_time=at, conversation=conversation, turn=turn)
        case GiveInformation():
            if turn_of(command.request)[1] in state.given:
                message = f"{command.request!r} was answered before"
                raise Refusal("GIVEN_BEFORE", message, turn=command.request)
            return events.InformationGiven(
                event_time=at, conversation=conversation, turn=turn, request=command.request
            )
    if turn.said_by == ORGANISATION:
        return events.MessageSent(event_time=at, conversation=conversation, turn=turn)
    return events.MessageReceived(event_time=at, conversation=conversation, turn=turn)


def _content(turn: events.Turn) -> bytes:
    """Answer a hash of what a turn says, whenever and as which turn."""
    same = events.Turn()
    same.CopyFrom(turn)
    same.ClearField("turn")
    same.ClearField("say_time")
    return hashlib.blake2b(same.SerializeToString(deterministic=True), digest_size=16).digest()


def evolve(state: Conversation, event: Message) -> Conversation:
    """Answer ``state`` after ``event``."""
    if not isinstance(event, _Event):
        return state
    turn, number = event.turn, state.count + 1
    sourced, asked, given = state.sourced, state.asked, state.given
    if turn.source:
        key = (turn.source, turn.source_id)
        sourced = {**sourced, key: Known(_content(turn), turn.say_time, number)}
    if isinstance(event, events.InformationRequested):
        asked = {**asked, number: turn.said_by}
    if isinstance(event, events.InformationGiven):
        given |= {turn_of(event.request)[1]}
    return replace(
        state,
        customer=turn.customer,
        count=number,
        received=state.received + (turn.said_by == CUSTOMER),
        asked=asked,
        given=given,
        sourced=sourced,
        last=event,
        since=state.since or event.event_time,
    )
