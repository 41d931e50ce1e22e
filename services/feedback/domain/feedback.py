"""One piece of feedback: received once, coded as often as somebody sees more in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Self

from equiloop.feedback.v1 import events_pb2 as events
from google.protobuf.message import Message
from pydantic import Field, model_validator

from libs.kernel.refusals import AlreadyExists, FieldError, NotFound
from libs.kernel.values import (
    Command,
    CustomerName,
    Etag,
    FeedbackName,
    Instant,
    Labels,
    Language,
    Source,
    known,
    timestamp,
)

_BOUNDS = {
    events.SCORE_SCALE_NPS: (0, 10),
    events.SCORE_SCALE_CSAT: (1, 5),
    events.SCORE_SCALE_CES: (1, 7),
}


class Score(Command):
    """A structured answer, within the bounds of its scale."""

    scale: Annotated[int, known(events.ScoreScale)]
    value: int = 0

    @model_validator(mode="after")
    def _within(self) -> Self:
        low, high = _BOUNDS[events.ScoreScale.ValueType(self.scale)]
        if not low <= self.value <= high:
            name = events.ScoreScale.Name(events.ScoreScale.ValueType(self.scale))
            msg = f"{name} goes from {low} to {high}, not to {self.value}"
            raise FieldError("value", msg)
        return self

    def message(self) -> events.Score:
        """Answer the score as the contract writes it."""
        return events.Score(scale=events.ScoreScale.ValueType(self.scale), value=self.value)


class Coder(Command):
    """A person, or a model with its version."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    version: Annotated[str, Field(max_length=100)] = ""


class RecordFeedback(Command):
    """A customer said something, in words, as a score, or both."""

    feedback: FeedbackName
    channel: Annotated[int, known(events.Channel)]
    customer: CustomerName | None = None
    language_code: Language | None = None
    text: Annotated[str, Field(max_length=10_000)] = ""
    score: Score | None = None
    receive_time: Instant | None = None
    source: Source | None = None
    source_id: Source | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.text.strip() and self.score is None:
            msg = "text or score is needed"
            raise FieldError("text", msg)
        if (self.source is None) != (self.source_id is None):
            missing = "source" if self.source is None else "source_id"
            msg = "source and source_id go together"
            raise FieldError(missing, msg)
        return self


class ImportFeedback(RecordFeedback):
    """The same, of a system that can say it again: its item is known by source and source_id."""

    source: Source
    source_id: Source
    receive_time: Instant


class CodeFeedback(Command):
    """Somebody says what feedback is about and how it feels."""

    name: FeedbackName
    coder: Coder
    themes: Annotated[Labels, Field(max_length=20)] = ()
    sentiment: Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)] = 0.0
    etag: Etag | None = None


@dataclass(frozen=True, slots=True)
class Feedback:
    """Feedback as it now is; ``received`` is None until it was."""

    received: events.FeedbackReceived | None = None
    coded: events.FeedbackCoded | None = None


INITIAL = Feedback()


def decide(
    command: RecordFeedback | CodeFeedback, state: Feedback, now: datetime
) -> Sequence[Message]:
    """Answer what follows from ``command``."""
    match command:
        case RecordFeedback():
            return _record(command, state, now)
        case CodeFeedback():
            return _code(command, state, now)


def _record(command: RecordFeedback, state: Feedback, now: datetime) -> Sequence[Message]:
    if state.received is None:
        return [_received(command, now)]
    if _received(command, state.received.event_time.ToDatetime()) == state.received:
        return []
    message = f"{command.source!r} has sent {command.source_id!r} before, with other content"
    raise AlreadyExists("SOURCE_ID_REUSED", message, feedback=command.feedback)


def _received(command: RecordFeedback, at: datetime) -> events.FeedbackReceived:
    score = None if command.score is None else command.score.message()
    return events.FeedbackReceived(
        event_time=timestamp(at),
        feedback=command.feedback,
        customer=command.customer or "",
        channel=events.Channel.ValueType(command.channel),
        language_code=command.language_code or "",
        text=command.text,
        score=score,
        receive_time=timestamp(command.receive_time or at),
        source=command.source or "",
        source_id=command.source_id or "",
    )


def _code(command: CodeFeedback, state: Feedback, now: datetime) -> Sequence[Message]:
    if state.received is None:
        raise NotFound(command.name)
    return [
        events.FeedbackCoded(
            event_time=timestamp(now),
            feedback=command.name,
            customer=state.received.customer,
            themes=command.themes,
            sentiment=command.sentiment,
            coder=events.Coder(name=command.coder.name, version=command.coder.version),
        )
    ]


def evolve(state: Feedback, event: Message) -> Feedback:
    """Answer ``state`` after ``event``."""
    match event:
        case events.FeedbackReceived():
            return replace(state, received=event)
        case events.FeedbackCoded():
            return replace(state, coded=event)
    return state
