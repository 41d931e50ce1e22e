"""Feedback finds the right person: one function at a time, hops and time counted."""

import asyncio
from itertools import product

import pytest
from equiloop.feedback.v1 import routing_events_pb2 as events
from equiloop.feedback.v1 import routing_service_pb2 as api
from grpc import StatusCode

from libs.contract.events import CODEC
from libs.projection.reactor import Reactor
from libs.projection.sqlite import SqliteDatabase
from services.feedback.policy.routing_rules import RoutingByRules
from services.feedback.views.routing import asked
from tests.contract.chassis.serving import refused
from tests.contract.feedback.desk import Desk, day
from tests.contract.feedback.dispatch import BY, Dispatch

DAY = 86_400


@pytest.fixture
async def dispatch(desk: Desk) -> Dispatch:
    """An organisation, and a desk."""
    one = Dispatch(desk)
    await one.organise()
    return one


async def test_one_function_holds_feedback_at_a_time(dispatch: Dispatch) -> None:
    """Another gets it only once it was returned, and not the one that has just returned it."""
    name = (await dispatch.desk.record("7")).name
    assert (await dispatch.way(name)).etag == ""
    await dispatch.route(name, "sales", reason="about price")
    assert (await refused(dispatch.route(name, "service"))).info.reason == "ALREADY_ROUTED"
    assert (await refused(dispatch.accept(name, "service"))).info.reason == "HELD_BY_ANOTHER"
    await dispatch.send_back(name, "sales")
    assert (await refused(dispatch.accept(name, "sales"))).info.reason == "NOT_ROUTED"
    assert (await refused(dispatch.route(name, "sales"))).info.reason == "RETURNED_BEFORE"
    await dispatch.route(name, "service")
    way = await dispatch.accept(name, "service")
    assert (way.function, way.accepted) == ("functions/service", True)
    assert [(hop.function, hop.return_reason) for hop in way.hops] == [
        ("functions/sales", "not ours"),
        ("functions/service", ""),
    ]
    assert way == await dispatch.way(name)


async def test_only_what_there_is_is_routed(dispatch: Dispatch) -> None:
    """Neither to a function that nobody registered nor feedback that nobody gave."""
    name = (await dispatch.desk.record("7")).name
    for call in (
        dispatch.route(name, "none"),
        dispatch.route("feedback/none"),
        dispatch.accept("feedback/none"),
        dispatch.way("feedback/none"),
    ):
        assert (await refused(call)).code is StatusCode.NOT_FOUND


async def test_an_inbox_holds_what_is_open(dispatch: Dispatch) -> None:
    """Oldest first; what was returned or never routed is in nobody's; what was told is in none."""
    names = [(await dispatch.at(n).desk.record("7")).name for n in range(4)]
    for name in names[:3]:
        await dispatch.route(name)
    assert await dispatch.held() == names[:3]
    assert await dispatch.held("") == names[3:]
    await dispatch.accept(names[1])
    assert await dispatch.held(accepted=True) == [names[1]]
    assert await dispatch.held(accepted=False) == [names[0], names[2]]
    await dispatch.send_back(names[0])
    assert await dispatch.held("") == [names[0], names[3]]
    action = await dispatch.tell(names[1])
    assert await dispatch.held() == [names[2]]
    await dispatch.at(9).open_again(action, names[1])
    (again, _) = await dispatch.inbox()
    assert (again.feedback, again.accepted, again.hops) == (names[1], True, 1)
    assert (again.receive_time, again.open_time) == (day(1), day(9))


@pytest.mark.parametrize("order", ["age", "deadline"])
async def test_pages_show_what_is_there_throughout_once(dispatch: Dispatch, order: str) -> None:
    """While others come, go, and are accepted between pages, forty that stay are each seen once."""
    await dispatch.promise()
    stay = [(await dispatch.at(n % 10).desk.record("7")).name for n in range(40)]
    go = [(await dispatch.at(n % 10).desk.record("7")).name for n in range(10)]
    for name in stay + go:
        await dispatch.route(name)
    seen: list[str] = []
    request = api.ListInboxRequest(function="functions/service", page_size=7, order_by=order)
    while True:
        page = await dispatch.desk.ask("ListInbox", request, dispatch.desk.routing)
        seen += [item.feedback for item in page.items]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
        await dispatch.send_back(go.pop())
        await dispatch.route((await dispatch.at(3).desk.record("8")).name)
        await dispatch.accept(stay[len(go)])
    assert [seen.count(name) for name in stay] == [1] * 40
    assert len(seen) == len(set(seen))


async def test_an_inbox_is_read_from_an_index(dispatch: Dispatch) -> None:
    """Whatever is asked, each span comes sorted from an index, and no table is read through."""
    with dispatch.desk.projection.database.read() as db:
        for accepted, breached, order in product((None, True), (None, False), asked.ORDERS):
            statements: list[str] = []
            db.set_exec_trace(lambda _, sql, __, said=statements: said.append(sql) or True)
            asked.inbox(
                db,
                "functions/service",
                order=order,
                after=asked.FIRST,
                limit=10,
                accepted=accepted,
                breached=breached,
            )
            db.set_exec_trace(None)
            values = {"function": "", "time": 0, "position": 0, "limit": 10}
            plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statements[-1]}", values)]
            spans = [line for line in plan if f"route_by_{order}" in line]
            assert len(spans) == (2 if accepted is None else 1) * (2 if breached is None else 1)
            assert all("SEARCH" in line and "function=? AND" in line for line in spans), plan
            assert not [line for line in plan if line.startswith("SCAN") and "route" in line], plan


async def test_time_to_the_right_person(dispatch: Dispatch) -> None:
    """Worked out on paper, five items, all said on day 0, seen on day 10.

    a is accepted by the first function on day 2; b is accepted on day 1, returned, and accepted
    by the second on day 4; c is accepted by the second on day 6; d is routed, e is not: both wait
    for 10 days. Hops of the accepted: 1, 2, 2. S is 4/5 after 2 days, 3/5 after 4, 2/5 after 6:
    the median is 6 days. Of what service holds (a and d) it is: S = 1/2 after 2 days.
    """
    a, b, c, d, _ = [(await dispatch.desk.record("7")).name for _ in range(5)]
    await dispatch.route(a)
    await dispatch.route(b)
    await dispatch.route(c)
    await dispatch.route(d)
    await dispatch.at(1).accept(b)
    await dispatch.at(2).accept(a)
    await dispatch.send_back(b)
    await dispatch.route(b, "sales")
    await dispatch.at(4).accept(b, "sales")
    await dispatch.send_back(c)
    await dispatch.route(c, "repair")
    await dispatch.at(6).accept(c, "repair")
    dispatch.at(10)

    async def ask(**fields: object) -> api.TimeToRightPerson:
        request = api.GetTimeToRightPersonRequest(**fields)  # type: ignore[arg-type]
        answer: api.TimeToRightPerson = await dispatch.desk.ask(
            "GetTimeToRightPerson", request, dispatch.desk.routing
        )
        return answer

    all_ = await ask()
    assert (all_.received_count, all_.accepted_count, all_.as_of) == (5, 3, day(10))
    assert [(each.hops, each.count) for each in all_.hops] == [(1, 1), (2, 2)]
    assert all_.first_hop_share == pytest.approx(1 / 3)
    assert all_.median_time.seconds == 6 * DAY
    ours = await ask(function="functions/service")
    assert (ours.received_count, ours.accepted_count) == (2, 1)
    assert ours.median_time.seconds == 2 * DAY
    none = await ask(start_time=day(1))
    assert none.received_count == 0
    assert not none.HasField("first_hop_share")
    assert not none.HasField("median_time")


async def test_feedback_goes_by_its_themes(dispatch: Dispatch) -> None:
    """By the first rule that fits, once, from when there are rules; a reaction repeated is none."""
    desk = dispatch.desk
    early, price, both, plain, taken = [(await desk.record("7")).name for _ in range(5)]
    await desk.code(early, "price")
    rules = [
        events.RoutingRule(theme="price", function="functions/sales"),
        events.RoutingRule(theme="battery", function="functions/repair"),
    ]
    request = api.SetRoutingRulesRequest(rules=rules, by=BY)
    await dispatch.at(1).desk.routing.SetRoutingRules(request)
    known = await desk.routing.GetRoutingRules(api.GetRoutingRulesRequest())
    assert list(known.rules) == rules
    await dispatch.route(taken, "service")
    for name, themes in (
        (price, ("price",)),
        (both, ("battery", "price")),
        (plain, ("screen",)),
        (taken, ("price",)),
    ):
        await desk.code(name, *themes)
    for checkpoint in ("first", "lost"):
        head = await desk.store.head()
        await _react(dispatch, checkpoint)
        assert checkpoint == "first" or await desk.store.head() == head
    assert await dispatch.held("sales") == [price, both]
    assert await dispatch.held("service") == [taken]
    assert await dispatch.held("") == [early, plain]
    (hop,) = (await dispatch.way(both)).hops
    assert (hop.by, hop.reason) == ("policies/routing-rules", "it is about price")
    wrong = api.SetRoutingRulesRequest(
        by=BY, rules=[*rules, events.RoutingRule(theme="price", function="functions/none")]
    )
    assert "rules[2].theme" in (await refused(desk.routing.SetRoutingRules(wrong))).fields
    unknown = events.RoutingRule(theme="x", function="functions/none")
    error = await refused(
        desk.routing.SetRoutingRules(api.SetRoutingRulesRequest(by=BY, rules=[unknown]))
    )
    assert error.code is StatusCode.NOT_FOUND


async def _react(dispatch: Dispatch, checkpoint: str) -> None:
    """Run the policy over the whole log, from a checkpoint of its own."""
    desk = dispatch.desk
    policy = RoutingByRules(desk.decider)
    folder = SqliteDatabase(desk.projection.database._folder / checkpoint)  # type: ignore[attr-defined]
    reactor = Reactor(desk.store, CODEC, folder, policy.handles, policy.react)
    running = asyncio.create_task(reactor.run())
    await asyncio.wait_for(reactor.following.caught_up.wait(), 10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await reactor.close()
