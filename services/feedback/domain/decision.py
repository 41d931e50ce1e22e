"""One decision that a leader let feedback change: what it was before, and what it is after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self

from equiloop.feedback.v1 import market_events_pb2 as events
from google.protobuf.message import Message
from pydantic import Field, model_validator

from libs.kernel.refusals import AlreadyExists, FieldError
from libs.kernel.times import not_ahead
from libs.kernel.values import (
    Command,
    FeedbackNames,
    FunctionName,
    Instant,
    ManagerName,
    NeedNames,
    Words,
    resource,
    timestamp,
)

DecisionName = Annotated[str, resource("decisions")]
_What = Annotated[Words, Field(max_length=2000)]


class RecordDecisionInfluence(Command):
    """A leader decided otherwise because of what customers said."""

    decision: DecisionName
    title: Annotated[Words, Field(max_length=500)]
    leader: ManagerName
    function: FunctionName
    before: _What
    after: _What
    feedback: Annotated[FeedbackNames, Field(max_length=1000)] = ()
    needs: Annotated[NeedNames, Field(max_length=1000)] = ()
    decide_time: Instant | None = None

    @model_validator(mode="after")
    def _influenced(self) -> Self:
        if not self.feedback and not self.needs:
            msg = "feedback or needs is needed: somebody's word changed it"
            raise FieldError("feedback", msg)
        if self.before.strip() == self.after.strip():
            msg = "is the same as before: nothing was changed"
            raise FieldError("after", msg)
        return self


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision; None until it was recorded."""

    influenced: events.DecisionInfluenced | None = None


INITIAL = Decision()


def decide(command: RecordDecisionInfluence, state: Decision, now: datetime) -> Sequence[Message]:
    """Answer what follows from ``command``."""
    if state.influenced is not None:
        message = f"{command.decision!r} was recorded before"
        raise AlreadyExists("DECISION_EXISTS", message, decision=command.decision)
    decided = command.decide_time or now
    not_ahead("decide_time", decided, now)
    return [
        events.DecisionInfluenced(
            event_time=timestamp(now),
            decision=command.decision,
            title=command.title,
            leader=command.leader,
            function=command.function,
            before=command.before,
            after=command.after,
            feedback=command.feedback,
            needs=command.needs,
            decide_time=timestamp(decided),
        )
    ]


def evolve(state: Decision, event: Message) -> Decision:
    """Answer ``state`` after ``event``."""
    match event:
        case events.DecisionInfluenced():
            return Decision(event)
    return state
