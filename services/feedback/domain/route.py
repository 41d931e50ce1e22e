"""The way of one piece of feedback through the organisation: one function holds it at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from equiloop.feedback.v1 import routing_events_pb2 as events
from google.protobuf.message import Message
from pydantic import Field

from libs.kernel.refusals import Refusal
from libs.kernel.values import (
    Actor,
    Command,
    Etag,
    FeedbackName,
    FunctionName,
    Instant,
    ManagerName,
    Words,
    timestamp,
)

MOST_HOPS = 50
"""Most functions on the way of one piece of feedback."""

RULES = "policies/routing-rules"
"""Who routes when the rules do."""


class RouteFeedback(Command):
    """A function shall hold feedback."""

    name: FeedbackName
    function: FunctionName
    by: Actor
    reason: Annotated[str, Field(max_length=1000)] = ""
    etag: Etag | None = None


class RouteByRules(Command):
    """The rules say who shall hold feedback, unless somebody routed it before."""

    name: FeedbackName
    function: FunctionName
    reason: str


class AcceptRoute(Command):
    """The function that holds it is the right one."""

    name: FeedbackName
    function: FunctionName
    by: Actor
    etag: Etag | None = None


class ReturnRoute(Command):
    """The function that holds it is not the right one."""

    name: FeedbackName
    function: FunctionName
    by: Actor
    reason: Annotated[Words, Field(max_length=1000)]
    etag: Etag | None = None


class BreachSla(Command):
    """A deadline has passed; ``escalate_to`` is told of it, if there is anybody, on ``level``."""

    name: FeedbackName
    sla: str
    stage: int
    deadline: Instant
    open_time: Instant
    function: str = ""
    escalate_to: ManagerName | None = None
    level: int = 1


class Escalate(Command):
    """A missed deadline is taken one level up."""

    name: FeedbackName
    sla: str
    stage: int
    deadline: Instant
    function: FunctionName
    escalate_to: ManagerName
    level: int


RouteCommand = RouteFeedback | RouteByRules | AcceptRoute | ReturnRoute | BreachSla | Escalate


@dataclass(frozen=True, slots=True)
class Hop:
    """One function on the way."""

    routed: events.FeedbackRouted
    accepted: events.RouteAccepted | None = None
    returned: events.RouteReturned | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """The way as it is so far."""

    hops: tuple[Hop, ...] = ()
    breaches: tuple[events.LoopSlaBreached, ...] = ()
    escalations: tuple[events.FeedbackEscalated, ...] = ()

    @property
    def holding(self) -> Hop | None:
        """The function that holds it; None while nobody does."""
        return self.hops[-1] if self.hops and self.hops[-1].returned is None else None


INITIAL = Route()


def decide(command: RouteCommand, state: Route, now: datetime) -> Sequence[Message]:
    """Answer what follows from ``command``."""
    match command:
        case RouteFeedback():
            return _route(command, state, now)
        case RouteByRules():
            return [] if state.hops else [_routed(command, state, RULES, now)]
        case AcceptRoute():
            return _accept(command, state, now)
        case ReturnRoute():
            return _return(command, state, now)
        case BreachSla():
            return _breach(command, state, now)
        case Escalate():
            return _escalate(command, state, now)


def _route(command: RouteFeedback, state: Route, now: datetime) -> Sequence[Message]:
    if (held := state.holding) is not None:
        if held.routed.function == command.function:
            return []
        message = f"{held.routed.function!r} holds {command.name!r}: it must be returned first"
        raise Refusal("ALREADY_ROUTED", message, function=held.routed.function)
    if state.hops and state.hops[-1].routed.function == command.function:
        message = f"{command.function!r} has just returned {command.name!r}"
        raise Refusal("RETURNED_BEFORE", message, function=command.function)
    if len(state.hops) >= MOST_HOPS:
        message = f"{command.name!r} has been with {MOST_HOPS} functions: somebody must decide"
        raise Refusal("TOO_MANY_HOPS", message, feedback=command.name)
    return [_routed(command, state, command.by, now)]


def _routed(
    command: RouteFeedback | RouteByRules, state: Route, by: str, now: datetime
) -> events.FeedbackRouted:
    return events.FeedbackRouted(
        event_time=timestamp(now),
        feedback=command.name,
        function=command.function,
        hop=len(state.hops) + 1,
        by=by,
        reason=command.reason,
    )


def _accept(command: AcceptRoute, state: Route, now: datetime) -> Sequence[Message]:
    held = _held(command, state)
    if held.accepted is not None:
        return []
    return [
        events.RouteAccepted(
            event_time=timestamp(now),
            feedback=command.name,
            function=command.function,
            hop=held.routed.hop,
            by=command.by,
        )
    ]


def _return(command: ReturnRoute, state: Route, now: datetime) -> Sequence[Message]:
    held = _held(command, state)
    return [
        events.RouteReturned(
            event_time=timestamp(now),
            feedback=command.name,
            function=command.function,
            hop=held.routed.hop,
            by=command.by,
            reason=command.reason,
        )
    ]


def _held(command: AcceptRoute | ReturnRoute, state: Route) -> Hop:
    """Answer where feedback is. Raises Refusal unless the function of the command holds it."""
    held = state.holding
    if held is None:
        message = f"no function holds {command.name!r}"
        raise Refusal("NOT_ROUTED", message, feedback=command.name)
    if held.routed.function != command.function:
        message = f"{held.routed.function!r} holds {command.name!r}, not {command.function!r}"
        raise Refusal("HELD_BY_ANOTHER", message, function=held.routed.function)
    return held


def _breach(command: BreachSla, state: Route, now: datetime) -> Sequence[Message]:
    opened = timestamp(command.open_time)
    if any((each.stage, each.open_time) == (command.stage, opened) for each in state.breaches):
        return []
    breached = events.LoopSlaBreached(
        event_time=timestamp(now),
        feedback=command.name,
        sla=command.sla,
        stage=events.LoopStage.ValueType(command.stage),
        deadline=timestamp(command.deadline),
        open_time=opened,
        function=command.function,
    )
    if command.escalate_to is None:
        return [breached]
    return [breached, _escalated(command, command.escalate_to, now)]


def _escalate(command: Escalate, state: Route, now: datetime) -> Sequence[Message]:
    step = (command.stage, timestamp(command.deadline), command.level)
    if any((each.stage, each.deadline, each.level) == step for each in state.escalations):
        return []
    return [_escalated(command, command.escalate_to, now)]


def _escalated(command: BreachSla | Escalate, to: str, now: datetime) -> events.FeedbackEscalated:
    return events.FeedbackEscalated(
        event_time=timestamp(now),
        feedback=command.name,
        to=to,
        level=command.level,
        sla=command.sla,
        stage=events.LoopStage.ValueType(command.stage),
        deadline=timestamp(command.deadline),
        function=command.function,
    )


def evolve(state: Route, event: Message) -> Route:
    """Answer ``state`` after ``event``."""
    match event:
        case events.FeedbackRouted():
            return replace(state, hops=(*state.hops, Hop(event)))
        case events.RouteAccepted():
            return replace(state, hops=(*state.hops[:-1], replace(state.hops[-1], accepted=event)))
        case events.RouteReturned():
            return replace(state, hops=(*state.hops[:-1], replace(state.hops[-1], returned=event)))
        case events.LoopSlaBreached():
            return replace(state, breaches=(*state.breaches, event))
        case events.FeedbackEscalated():
            return replace(state, escalations=(*state.escalations, event))
    return state
