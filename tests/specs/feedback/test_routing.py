"""Routes, promises and rules: what follows from what is wanted, and what is refused."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from equiloop.feedback.v1 import routing_events_pb2 as events
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from hypothesis import given as drawn
from hypothesis import strategies as st
from pydantic import ValidationError

from libs.contract.parse import violations
from libs.kernel.refusals import NotFound, Refusal
from libs.kernel.values import timestamp
from services.feedback.domain import route, rules, sla
from services.feedback.domain.route import (
    MOST_HOPS,
    AcceptRoute,
    BreachSla,
    Escalate,
    ReturnRoute,
    RouteByRules,
    RouteCommand,
    RouteFeedback,
)
from services.feedback.service.means import ROUTE, RULES, SLA
from tests.specs.given import NOW, given

AT, BY, F = timestamp(NOW), "people/7", "feedback/1"
CLOSE = events.LOOP_STAGE_CLOSE


def routed(function: str = "a", hop: int = 1, by: str = BY) -> events.FeedbackRouted:
    name = f"functions/{function}"
    return events.FeedbackRouted(event_time=AT, feedback=F, function=name, hop=hop, by=by)


def accepted(function: str = "a", hop: int = 1) -> events.RouteAccepted:
    name = f"functions/{function}"
    return events.RouteAccepted(event_time=AT, feedback=F, function=name, hop=hop, by=BY)


def returned(function: str = "a", hop: int = 1) -> events.RouteReturned:
    return events.RouteReturned(
        event_time=AT, feedback=F, function=f"functions/{function}", hop=hop, by=BY, reason="no"
    )


def send(function: str = "a") -> RouteFeedback:
    return RouteFeedback(name=F, function=f"functions/{function}", by=BY)


def accept(function: str = "a") -> AcceptRoute:
    return AcceptRoute(name=F, function=f"functions/{function}", by=BY)


def send_back(function: str = "a") -> ReturnRoute:
    return ReturnRoute(name=F, function=f"functions/{function}", by=BY, reason="no")


@pytest.mark.parametrize(
    ("history", "command", "expected"),
    [
        ((), send(), (routed(),)),
        ((routed(),), send(), ()),
        ((routed(),), accept(), (accepted(),)),
        ((routed(), accepted()), accept(), ()),
        ((routed(),), send_back(), (returned(),)),
        ((routed(), accepted()), send_back(), (returned(),)),
        ((routed(), returned()), send("b"), (routed("b", 2),)),
        ((routed(), returned(), routed("b", 2)), accept("b"), (accepted("b", 2),)),
        ((routed(), returned(), routed("b", 2), returned("b", 2)), send(), (routed("a", 3),)),
    ],
)
def test_a_route_goes_from_function_to_function(
    history: tuple[Message, ...], command: RouteCommand, expected: tuple[Message, ...]
) -> None:
    """Routed, accepted or returned, and routed on; each hop is counted, repeats change nothing."""
    given(ROUTE, *history).when(route.decide, command).then(*expected)


@pytest.mark.parametrize(
    ("history", "command", "reason"),
    [
        ((routed(),), send("b"), "ALREADY_ROUTED"),
        ((routed(), accepted()), send("b"), "ALREADY_ROUTED"),
        ((routed(), returned()), send(), "RETURNED_BEFORE"),
        ((), accept(), "NOT_ROUTED"),
        ((), send_back(), "NOT_ROUTED"),
        ((routed(), returned()), send_back(), "NOT_ROUTED"),
        ((routed(),), accept("b"), "HELD_BY_ANOTHER"),
        ((routed(),), send_back("b"), "HELD_BY_ANOTHER"),
    ],
)
def test_a_route_refuses_what_does_not_fit(
    history: tuple[Message, ...], command: RouteCommand, reason: str
) -> None:
    """One function at a time holds it, and only that one accepts or returns."""
    given(ROUTE, *history).when(route.decide, command).refused(Refusal, reason)


def test_a_route_ends_somewhere() -> None:
    """After fifty functions nobody may pass it on."""
    hops: list[Message] = []
    for hop in range(1, MOST_HOPS + 1):
        function = "ab"[hop % 2]
        hops += [routed(function, hop), returned(function, hop)]
    outcome = given(ROUTE, *hops).when(route.decide, send("c"))
    outcome.refused(Refusal, "TOO_MANY_HOPS", feedback=F)


def test_rules_route_what_nobody_has() -> None:
    """What was ever routed is left to people."""
    command = RouteByRules(name=F, function="functions/a", reason="")
    given(ROUTE).when(route.decide, command).then(routed(by=route.RULES))
    given(ROUTE, routed("b"), returned("b")).when(route.decide, command).then()


@drawn(st.lists(st.tuples(st.sampled_from([send, accept, send_back]), st.sampled_from("abc"))))
def test_no_order_of_commands_gives_feedback_to_two(commands: list[tuple[Any, str]]) -> None:
    """Whatever is wanted in whatever order: hops count up, and each but the last was returned."""
    state = route.INITIAL
    for command, function in commands:
        try:
            for event in route.decide(command(function), state, NOW):
                state = route.evolve(state, event)
        except Refusal:
            pass
        assert [hop.routed.hop for hop in state.hops] == list(range(1, len(state.hops) + 1))
        assert all(hop.returned for hop in state.hops[:-1])
        names = [hop.routed.function for hop in state.hops]
        assert all(one != other for one, other in pairwise(names))


def breach(**fields: Any) -> BreachSla:
    usual = {
        "name": F,
        "sla": "slas/all",
        "stage": CLOSE,
        "deadline": NOW - timedelta(days=1),
        "open_time": NOW - timedelta(days=2),
        "function": "functions/a",
    }
    return BreachSla.model_validate(usual | fields)


BREACHED = events.LoopSlaBreached(
    event_time=AT,
    feedback=F,
    sla="slas/all",
    stage=CLOSE,
    deadline=timestamp(NOW - timedelta(days=1)),
    open_time=timestamp(NOW - timedelta(days=2)),
    function="functions/a",
)


def escalated(to: str, level: int) -> events.FeedbackEscalated:
    return events.FeedbackEscalated(
        event_time=AT,
        feedback=F,
        to=f"managers/{to}",
        level=level,
        sla="slas/all",
        stage=CLOSE,
        deadline=BREACHED.deadline,
        function="functions/a",
    )


def test_a_deadline_is_missed_once() -> None:
    """Once an opening and stage, whatever the deadline is said to be; the head is told with it."""
    given(ROUTE).when(route.decide, breach()).then(BREACHED)
    to_ada = breach(escalate_to="managers/ada")
    given(ROUTE).when(route.decide, to_ada).then(BREACHED, escalated("ada", 1))
    given(ROUTE, BREACHED).when(route.decide, breach()).then()
    given(ROUTE, BREACHED).when(route.decide, breach(deadline=NOW)).then()
    again = breach(open_time=NOW - timedelta(hours=30))
    assert len(given(ROUTE, BREACHED).when(route.decide, again).events) == 1
    other = breach(stage=events.LOOP_STAGE_ACCEPT)
    assert len(given(ROUTE, BREACHED).when(route.decide, other).events) == 1


def test_each_level_is_told_once() -> None:
    """A level of the same missed deadline that was told is not told again, whoever it is now."""
    fields: dict[str, Any] = breach().model_dump(
        include={"name", "sla", "stage", "deadline", "function"}
    )
    two = Escalate(**fields, escalate_to="managers/bo", level=2)
    history = (BREACHED, escalated("ada", 1))
    given(ROUTE, *history).when(route.decide, two).then(escalated("bo", 2))
    again = two.model_copy(update={"escalate_to": "managers/di"})
    given(ROUTE, *history, escalated("bo", 2)).when(route.decide, again).then()


def promise(**fields: Any) -> sla.SetLoopSla:
    usual = {"sla_id": "all", "by": BY, "close_within": timedelta(days=5)}
    return sla.SetLoopSla.model_validate(usual | fields)


def promised(**fields: Any) -> events.LoopSlaSet:
    usual: dict[str, Any] = {"sla": "slas/all", "by": BY, "close_within": Duration(seconds=432_000)}
    return events.LoopSlaSet(event_time=AT, **(usual | fields))


WITHDRAW = sla.WithdrawLoopSla(name="slas/all", by=BY)
WITHDRAWN = events.LoopSlaWithdrawn(event_time=AT, sla="slas/all", by=BY)


def test_a_promise_is_given_replaced_and_taken_back() -> None:
    """The same, by whomever, changes nothing while it holds; after it was withdrawn it is new."""
    given(SLA).when(sla.decide, promise()).then(promised())
    given(SLA, promised()).when(sla.decide, promise(by="people/8")).then()
    other = promise(segment="vip")
    given(SLA, promised()).when(sla.decide, other).then(promised(segment="vip"))
    given(SLA, promised()).when(sla.decide, WITHDRAW).then(WITHDRAWN)
    given(SLA, promised(), WITHDRAWN).when(sla.decide, WITHDRAW).then()
    given(SLA, promised(), WITHDRAWN).when(sla.decide, promise()).then(promised())
    given(SLA).when(sla.decide, WITHDRAW).refused(NotFound)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"close_within": None}, "close_within"),
        ({"close_within": timedelta(0)}, "close_within"),
        ({"accept_within": timedelta(days=3651)}, "accept_within"),
        ({"escalate_every": timedelta(milliseconds=999)}, "escalate_every"),
        ({"channel": 99}, "channel"),
        ({"sla_id": "No"}, "sla_id"),
        ({"by": ""}, "by"),
    ],
)
def test_a_promise_is_complete(fields: dict[str, Any], wrong: str) -> None:
    """It promises something, in a time that can be kept, and says who promises."""
    with pytest.raises(ValidationError) as error:
        promise(**fields)
    assert [violation.field for violation in violations(error.value)] == [wrong]


def ruled(*pairs: tuple[str, str], later: float = 0) -> events.RoutingRulesSet:
    return events.RoutingRulesSet(
        event_time=timestamp(NOW + timedelta(days=later)),
        rules=[
            events.RoutingRule(theme=theme, function=f"functions/{key}") for theme, key in pairs
        ],
        by=BY,
    )


def test_rules_are_set_as_a_whole() -> None:
    """Others replace them, the same change nothing, none ends them; a theme has one rule."""
    command = rules.SetRoutingRules.model_validate(
        {"by": BY, "rules": [{"theme": "price", "function": "functions/a"}]}
    )
    none = rules.SetRoutingRules(by=BY)
    given(RULES).when(rules.decide, command).then(ruled(("price", "a")))
    given(RULES).when(rules.decide, none).then()
    given(RULES, ruled(("price", "a"))).when(rules.decide, command).then()
    given(RULES, ruled(("price", "a"))).when(rules.decide, none).then(ruled())
    rule = {"theme": "price", "function": "functions/a"}
    with pytest.raises(ValidationError, match="has a rule already"):
        rules.SetRoutingRules.model_validate({"by": BY, "rules": [rule, rule]})


@pytest.mark.parametrize(
    ("themes", "later", "function"),
    [
        (["price"], 0, "functions/a"),
        (["price"], 1.5, ""),
        (["screen", "price"], 0.5, "functions/a"),
        (["screen", "price"], 1, "functions/b"),
        (["screen"], -1, ""),
        ([], 2, ""),
    ],
)
def test_the_rules_of_the_instant_count(themes: list[str], later: float, function: str) -> None:
    """The first that fits of those that held when it was coded; before there were any, none."""
    state = given(RULES, ruled(("price", "a")), ruled(("screen", "b"), later=1)).state
    at = timestamp(NOW + timedelta(days=later))
    assert state.function(themes, at)[1] == function
