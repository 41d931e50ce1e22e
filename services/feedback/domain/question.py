"""One question among members: asked, shared, answered, and closed by the asker."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated

from equiloop.feedback.v1 import community_events_pb2 as events
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import AfterValidator, Field

from libs.kernel.refusals import AlreadyExists, NotFound, Refusal
from libs.kernel.times import not_ahead
from libs.kernel.values import (
    Command,
    Etag,
    Instant,
    Language,
    NeedName,
    Words,
    resource,
    timestamp,
)

MOST_ANSWERS, MOST_HEADS = 100, 10_000
"""Most answers to one question, and most members who have it."""

QuestionName = Annotated[str, resource("questions")]
_MEMBER = re.compile(r"(customers|employees)/[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_Text = Annotated[Words, Field(max_length=5_000)]


def _member(value: str) -> str:
    if not _MEMBER.fullmatch(value):
        msg = "must be 'customers/' or 'employees/' and an id of 1 to 63 of a-z 0-9 -"
        raise ValueError(msg)
    return value


MemberName = Annotated[str, AfterValidator(_member)]
AnswerName = Annotated[str, Field(pattern=r"^questions/[a-z0-9-]{1,63}/answers/[1-9][0-9]{0,3}$")]


class AskCommunity(Command):
    """A member asks the others."""

    question: QuestionName
    asker: MemberName
    text: _Text
    language_code: Language | None = None
    need: NeedName | None = None
    ask_time: Instant | None = None


class ShareQuestion(Command):
    """Another member has the same question."""

    name: QuestionName
    member: MemberName
    etag: Etag | None = None


class AnswerNeed(Command):
    """A member answers."""

    name: QuestionName
    member: MemberName
    text: _Text
    language_code: Language | None = None
    answer_time: Instant | None = None
    etag: Etag | None = None


class AcceptAnswer(Command):
    """The asker takes an answer."""

    name: QuestionName
    answer: AnswerName
    member: MemberName
    need: NeedName | None = None
    etag: Etag | None = None


QuestionCommand = AskCommunity | ShareQuestion | AnswerNeed | AcceptAnswer


@dataclass(frozen=True, slots=True)
class Question:
    """A question as it now is; ``asked`` is None until it was."""

    asked: events.QuestionAsked | None = None
    heads: frozenset[str] = field(default_factory=frozenset)
    answers: tuple[events.AnswerGiven, ...] = ()
    accepted: events.AnswerAccepted | None = None
    changed: Timestamp | None = None


INITIAL = Question()


def decide(command: QuestionCommand, state: Question, now: datetime) -> Sequence[Message]:
    """Answer what follows from ``command``."""
    if isinstance(command, AskCommunity):
        return _ask(command, state, now)
    if state.asked is None:
        raise NotFound(command.name)
    match command:
        case ShareQuestion():
            return _share(command, state, now)
        case AnswerNeed():
            return _answer(command, state, now)
        case AcceptAnswer():
            return _accept(command, state, state.asked, now)


def _ask(command: AskCommunity, state: Question, now: datetime) -> Sequence[Message]:
    if state.asked is not None:
        message = f"{command.question!r} was asked before"
        raise AlreadyExists("QUESTION_EXISTS", message, question=command.question)
    asked = command.ask_time or now
    not_ahead("ask_time", asked, now)
    return [
        events.QuestionAsked(
            event_time=timestamp(now),
            question=command.question,
            asker=command.asker,
            text=command.text,
            language_code=command.language_code or "",
            need=command.need or "",
            ask_time=timestamp(asked),
        )
    ]


def _share(command: ShareQuestion, state: Question, now: datetime) -> Sequence[Message]:
    if command.member in state.heads:
        return []
    if len(state.heads) >= MOST_HEADS:
        message = f"{MOST_HEADS} members have {command.name!r} already"
        raise Refusal("TOO_MANY_HEADS", message, question=command.name)
    return [
        events.QuestionShared(
            event_time=timestamp(now), question=command.name, member=command.member
        )
    ]


def _answer(command: AnswerNeed, state: Question, now: datetime) -> Sequence[Message]:
    if len(state.answers) >= MOST_ANSWERS:
        message = f"{command.name!r} has {MOST_ANSWERS} answers already"
        raise Refusal("TOO_MANY_ANSWERS", message, question=command.name)
    answered = command.answer_time or now
    not_ahead("answer_time", answered, now)
    return [
        events.AnswerGiven(
            event_time=timestamp(now),
            question=command.name,
            answer=f"{command.name}/answers/{len(state.answers) + 1}",
            member=command.member,
            text=command.text,
            language_code=command.language_code or "",
            answer_time=timestamp(answered),
        )
    ]


def _accept(
    command: AcceptAnswer, state: Question, asked: events.QuestionAsked, now: datetime
) -> Sequence[Message]:
    if command.member != asked.asker:
        message = f"only who asked {command.name!r} accepts an answer to it"
        raise Refusal("NOT_THE_ASKER", message, question=command.name)
    if command.answer not in {given.answer for given in state.answers}:
        raise NotFound(command.answer, "answer")
    if state.accepted is not None:
        message = f"{command.name!r} was closed before, by {state.accepted.answer!r}"
        raise Refusal("QUESTION_CLOSED", message, question=command.name)
    return [
        events.AnswerAccepted(
            event_time=timestamp(now),
            question=command.name,
            answer=command.answer,
            member=command.member,
            need=command.need or "",
        )
    ]


def evolve(state: Question, event: Message) -> Question:
    """Answer ``state`` after ``event``."""
    match event:
        case events.QuestionAsked():
            heads = frozenset({event.asker})
            return replace(state, asked=event, heads=heads, changed=event.event_time)
        case events.QuestionShared():
            heads = state.heads | {event.member}
            return replace(state, heads=heads, changed=event.event_time)
        case events.AnswerGiven():
            answers = (*state.answers, event)
            return replace(state, answers=answers, changed=event.event_time)
        case events.AnswerAccepted():
            return replace(state, accepted=event, changed=event.event_time)
    return state
