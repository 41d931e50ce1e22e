"""What may be asked about feedback: parsed like commands, so that every wrong field is named."""

from datetime import date, datetime
from typing import Annotated, Literal, Self

from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api
from pydantic import Field, model_validator

from libs.kernel.refusals import FieldError
from libs.kernel.values import (
    ActionName,
    Command,
    CustomerName,
    FeedbackName,
    FunctionName,
    Instant,
    Label,
    OfferName,
    known,
    resource,
    timestamp,
)
from services.feedback.funnel import Question
from services.feedback.views.facts import ALWAYS
from services.feedback.views.inbox import micros

ChannelNumber = Annotated[int, known(events.Channel)]


def micros_or(instant: datetime | None, default: int) -> int:
    """Answer an instant in microseconds, as tables keep time; ``default`` where none was given."""
    return default if instant is None else micros(timestamp(instant))


class OneFeedback(Command):
    """Feedback by its name."""

    name: FeedbackName


class OneParent(Command):
    """Feedback by its name, where it is asked for what hangs on it."""

    parent: FeedbackName


class OneThemeRules(Command):
    """Rules for themes by their name."""

    name: Annotated[str, resource("themeRules")]


class OneAction(Command):
    """An action by its name."""

    name: ActionName


class OneOffer(Command):
    """An offer by its name."""

    name: OfferName


class Narrowed(Command):
    """Feedback of one customer, about one theme, from one channel: whichever are named."""

    customer: CustomerName | None = None
    theme: Label | None = None
    channel: ChannelNumber | None = None


class Waiting(Narrowed):
    """The same of open loops, of customers in a segment, for one function to answer."""

    segment: Label | None = None
    function: FunctionName | None = None


class Watched(Waiting):
    """The same, from after a position on."""

    after_position: Annotated[int, Field(ge=0)] = 0


class Span(Command):
    """From ``start_time`` until before ``end_time``, for one function."""

    start_time: Instant | None = None
    end_time: Instant | None = None
    function: FunctionName | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start_time and self.end_time and self.start_time > self.end_time:
            msg = "must not be before start_time"
            raise FieldError("end_time", msg)
        return self


class Window(Span, Waiting):
    """Feedback received in a span, seen as of an instant."""

    as_of: Instant | None = None

    def question(self, now: datetime) -> Question:
        """Answer the same as tables keep it, asked at the instant ``now``."""
        return Question(
            now=micros(timestamp(now)),
            start=micros_or(self.start_time, -ALWAYS),
            end=micros_or(self.end_time, ALWAYS),
            as_of=micros_or(self.as_of, ALWAYS),
            channel=self.channel or 0,
            theme=self.theme or "",
            segment=self.segment or "",
            function=self.function or "",
            customer=self.customer or "",
        )


class ThemesAsked(Window):
    """Themes of feedback in a window, as one coder sees them, if he is named."""

    coder: Annotated[str, Field(max_length=100)] = ""


class SpanOfPromises(Span):
    """Loops that opened in a span, from one channel, of customers in a segment."""

    channel: ChannelNumber | None = None
    segment: Label | None = None


class Inbox(Command):
    """Open feedback that a function holds (None: nobody), in an order."""

    function: FunctionName | None = None
    order_by: Literal["age", "deadline"] = "age"
    accepted: bool | None = None
    breached: bool | None = None


class AsOf(Command):
    """Values as of an instant; None: the present one."""

    as_of: Instant | None = None


class ActionsAsked(Command):
    """Actions that stand so, of one owner, of one kind, due before a day: whichever are named."""

    state: Annotated[int, known(api.ActionState)] | None = None
    owner: FunctionName | None = None
    kind: Annotated[int, known(events.ActionKind)] | None = None
    due_before: date | None = None


class RegisterAsked(AsOf):
    """Actions of one owner that stand so, with values as of an instant."""

    owner: FunctionName | None = None
    state: Annotated[int, known(api.ActionState)] | None = None
