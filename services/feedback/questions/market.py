"""What may be asked about the market."""

from typing import Annotated

from equiloop.feedback.v1 import market_service_pb2 as market

from libs.kernel.values import (
    Command,
    FeedbackName,
    FunctionName,
    Instant,
    NeedName,
    known,
    resource,
)
from services.feedback.domain.decision import DecisionName
from services.feedback.domain.digest import DigestName
from services.feedback.questions import Span


class OneNeed(Command):
    """A need by its name."""

    name: NeedName


class Ranked(Command):
    """A list of things with what is at stake in them, in an order, as of an instant."""

    order: Annotated[int, known(market.RankOrder)] | None = None
    as_of: Instant | None = None


class NeedsAsked(Ranked):
    """Needs that stand so; None: all of them."""

    state: Annotated[int, known(market.NeedState)] | None = None


class OneDigest(Command):
    """A digest by its name."""

    name: DigestName


class OneSchedule(Command):
    """A schedule by its name."""

    name: Annotated[str, resource("digestSchedules")]


class OneDecision(Command):
    """A decision by its name."""

    name: DecisionName


class SpanSeen(Span):
    """What happened in a span, seen as of an instant."""

    as_of: Instant | None = None


class DigestsAsked(Command):
    """Digests to one function, that stand so: whichever are named."""

    function: FunctionName | None = None
    state: Annotated[int, known(market.DigestState)] | None = None


class DecisionsAsked(Command):
    """Decisions for one function, changed by one piece of feedback: whichever are named."""

    function: FunctionName | None = None
    feedback: FeedbackName | None = None
