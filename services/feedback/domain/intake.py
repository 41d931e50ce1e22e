"""What may be asked of one piece of feedback: parsed once, valid ever after."""

from typing import Annotated, Self

from equiloop.feedback.v1 import events_pb2 as events
from pydantic import Field, model_validator

from libs.kernel.refusals import FieldError
from libs.kernel.values import (
    Command,
    CustomerName,
    Etag,
    FeedbackName,
    Instant,
    Labels,
    Language,
    Source,
    Words,
    known,
)

MAX_THEMES = 20
"""Most themes of one coding."""

Somebody = Annotated[str, Field(min_length=1, max_length=100)]
"""Who says so: a person or a system, e.g. `people/7`."""

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

    name: Somebody
    version: Annotated[str, Field(max_length=100)] = ""

    def message(self) -> events.Coder:
        """Answer the coder as the contract writes it."""
        return events.Coder(name=self.name, version=self.version)


class Detected(Command):
    """The language that a detector found in the words."""

    language_code: Language
    detector: Coder


class RecordFeedback(Command):
    """A customer said something, in words, as a score, or both.

    ``detected`` is what was found out where the sender named no language: it is not sent.
    """

    feedback: FeedbackName
    channel: Annotated[int, known(events.Channel)]
    customer: CustomerName | None = None
    language_code: Language | None = None
    text: Annotated[str, Field(max_length=10_000)] = ""
    score: Score | None = None
    receive_time: Instant | None = None
    source: Source | None = None
    source_id: Source | None = None
    detected: Detected | None = None

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


class AttributeFeedback(Command):
    """Somebody says who the author is."""

    name: FeedbackName
    customer: CustomerName
    by: Somebody
    evidence: Annotated[str, Field(max_length=2000)] = ""
    etag: Etag | None = None


class CodeFeedback(Command):
    """Somebody says what feedback is about and how it feels."""

    name: FeedbackName
    coder: Coder
    themes: Annotated[Labels, Field(max_length=MAX_THEMES)] = ()
    sentiment: Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)] = 0.0
    without_sentiment: bool = False
    etag: Etag | None = None

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if self.without_sentiment and self.sentiment:
            msg = "must be 0 without_sentiment"
            raise FieldError("sentiment", msg)
        return self


class CodeByModel(CodeFeedback):
    """A model says so, by rules of some version: where nobody has said anything yet.

    With ``anew`` also where another model has, or the same by other rules; never over a person.
    """

    rules_version: int
    anew: bool = False

    @property
    def silent(self) -> bool:
        """The model has nothing to say: neither themes nor a sentiment."""
        return not self.themes and self.without_sentiment


class ClassifyCause(Command):
    """Somebody found out what lies behind feedback."""

    name: FeedbackName
    cause: Annotated[int, known(events.Cause)]
    by: Somebody
    evidence: Annotated[Words, Field(max_length=2000)]
    etag: Etag | None = None


FeedbackCommand = RecordFeedback | AttributeFeedback | CodeFeedback | ClassifyCause
