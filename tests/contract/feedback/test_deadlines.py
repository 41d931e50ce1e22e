"""Deadlines: which one holds, what is in time, who is told of what is not, and nothing twice."""

import asyncio
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from equiloop.customers.v1 import organisation_events_pb2 as organisation
from equiloop.feedback.v1 import events_pb2 as feedback
from equiloop.feedback.v1 import routing_events_pb2 as events
from equiloop.feedback.v1 import routing_service_pb2 as api
from grpc import StatusCode

from libs.contract.events import CODEC
from libs.kernel.values import timestamp
from libs.projection import rebuild
from libs.projection.sqlite import SqliteDatabase
from services.feedback.domain import route
from services.feedback.policy.loop_slas import LoopSlas
from services.feedback.views import VIEWS
from services.feedback.views.routing import FeedbackRoutes
from tests.contract.chassis.serving import refused
from tests.contract.feedback.desk import DAY_0, Desk, day
from tests.contract.feedback.dispatch import BY, Dispatch, days, happen, missed

ACCEPT, CLOSE = events.LOOP_STAGE_ACCEPT, events.LOOP_STAGE_CLOSE


@pytest.fixture
async def dispatch(desk: Desk) -> Dispatch:
    """An organisation, and a desk."""
    one = Dispatch(desk)
    await one.organise()
    return one


async def told(dispatch: Dispatch, name: str) -> list[tuple[str, int, int]]:
    """Answer who was told of missed deadlines: (whom, level, stage)."""
    way = await dispatch.way(name)
    return [(step.to.removeprefix("managers/"), step.level, step.stage) for step in way.escalations]


async def test_the_most_specific_promise_holds(dispatch: Dispatch) -> None:
    """By how many of channel, kind and segment it names; of equally specific ones the shorter."""
    await dispatch.promise("all", close_within=days(9))
    await dispatch.promise("vip", segment="vip", close_within=days(8))
    await dispatch.promise("mail", channel=feedback.CHANNEL_EMAIL, close_within=days(7))
    await dispatch.promise(
        "vip-score",
        segment="vip",
        kind=events.FEEDBACK_KIND_STRUCTURED,
        close_within=days(20),
        accept_within=days(1),
    )
    await dispatch.label("8", "new", "vip")
    score = feedback.Score(scale=feedback.SCORE_SCALE_NPS, value=3)
    mail = feedback.CHANNEL_EMAIL
    desk = dispatch.desk
    expected = {
        (await desk.record("7")).name: ("all", 9),
        (await desk.record()).name: ("all", 9),
        (await desk.record("8")).name: ("vip", 8),
        (await desk.record("7", channel=mail)).name: ("mail", 7),
        (await desk.record("8", channel=mail)).name: ("mail", 7),
        (await desk.record("8", score=score)).name: ("vip-score", 20),
    }
    items = {item.feedback: item for item in await dispatch.inbox("")}
    found = {
        name: (item.sla.removeprefix("slas/"), item.close_deadline) for name, item in items.items()
    }
    assert found == {name: (sla, day(number)) for name, (sla, number) in expected.items()}
    assert [
        item.accept_deadline for item in items.values() if item.HasField("accept_deadline")
    ] == [day(1)]
    by_deadline = await dispatch.inbox("", order_by="deadline")
    assert [item.close_deadline for item in by_deadline] == [day(n) for n in (7, 7, 8, 9, 9, 20)]


async def test_promises_are_kept_named_and_taken_back(dispatch: Dispatch) -> None:
    """The same again changes nothing; another replaces it; what was withdrawn is not listed."""
    first = await dispatch.promise("b", close_within=days(2))
    assert await dispatch.promise("b", close_within=days(2)) == first
    assert (await dispatch.promise("b", close_within=days(3))).etag == "1"
    await dispatch.promise("a")
    await dispatch.promise("c")
    assert (await dispatch.withdraw("a")).withdrawn
    request = api.ListLoopSlasRequest(page_size=1)
    listed = []
    while True:
        page = await dispatch.desk.ask("ListLoopSlas", request, dispatch.desk.routing)
        listed += [sla.name for sla in page.slas]
        request.page_token = page.next_page_token
        if not request.page_token:
            break
    assert listed == ["slas/b", "slas/c"]
    nothing = api.SetLoopSlaRequest(sla_id="x", by=BY)
    assert "close_within" in (await refused(dispatch.desk.routing.SetLoopSla(nothing))).fields
    assert (await refused(dispatch.withdraw("none"))).code is StatusCode.NOT_FOUND


async def test_a_promise_counts_for_loops_that_open_from_then_on(dispatch: Dispatch) -> None:
    """Feedback that was there before has no deadline; a change leaves running ones as they are."""
    early = (await dispatch.desk.record("7")).name
    await dispatch.promise(close_within=days(5))
    late = (await dispatch.desk.record("7")).name
    await dispatch.promise(close_within=days(1))
    found = {item.feedback: item for item in await dispatch.inbox("")}
    assert found[early].sla == ""
    assert not found[early].HasField("close_deadline")
    assert found[late].close_deadline == day(5)


async def test_told_in_time_breaches_nothing(dispatch: Dispatch) -> None:
    """To the instant of the deadline, also when it is recorded later; a moment later is missed."""
    await dispatch.promise(close_within=days(5))
    one, two, three = [(await dispatch.desk.record("7")).name for _ in range(3)]
    action = await dispatch.at(3).desk.commit(two)
    await dispatch.desk.complete(action.name)
    await dispatch.at(5).tell(one)
    await dispatch.look()
    await dispatch.at(5.5).desk.tell(action.name, told_time=day(4))
    await dispatch.look()
    assert [await missed(dispatch, name) for name in (one, two, three)] == [[], [], [(CLOSE, 5)]]
    assert await dispatch.report() == (3, [(0, 0, 0), (2, 1, 0)])


async def test_accepted_in_time_breaches_nothing(dispatch: Dispatch) -> None:
    """What is accepted waits no more; what is returned runs under its old deadline again."""
    await dispatch.promise(accept_within=days(2))
    one, two, three = [(await dispatch.desk.record("7")).name for _ in range(3)]
    for name in (one, two, three):
        await dispatch.route(name)
    await dispatch.at(1).accept(one)
    await dispatch.accept(two)
    await dispatch.at(1.5).look()
    await dispatch.send_back(two)
    assert await dispatch.report() == (3, [(1, 0, 2), (0, 0, 0)])
    await dispatch.at(3).look()
    assert await missed(dispatch, one) == []
    assert await missed(dispatch, two) == await missed(dispatch, three) == [(ACCEPT, 2)]
    assert await told(dispatch, two) == []
    assert await told(dispatch, three) == [("ada", 1, ACCEPT)]
    assert await dispatch.held(breached=True) == [three]
    assert await dispatch.held(breached=False) == [one]


async def test_a_missed_deadline_goes_up_the_line(dispatch: Dispatch) -> None:
    """At once to the head, then a level each two days while the loop is open, until the top."""
    await dispatch.promise(close_within=days(1), escalate_every=days(2))
    name, other = [(await dispatch.desk.record("7")).name for _ in range(2)]
    await dispatch.route(name)
    await dispatch.route(other, "repair")
    expected = {1: 0, 1.5: 1, 3: 1, 3.5: 2, 5: 2, 5.5: 3, 9: 3, 30: 3}
    for number, levels in expected.items():
        await dispatch.at(number).look()
        assert len(await told(dispatch, name)) == levels, number
        if number == 1.5:
            await dispatch.tell(other)
    assert await told(dispatch, name) == [("ada", 1, CLOSE), ("bo", 2, CLOSE), ("cy", 3, CLOSE)]
    assert await told(dispatch, other) == [("ada", 1, CLOSE)]
    (item,) = await dispatch.inbox()
    assert (item.level, item.breached) == (3, True)


async def test_without_a_step_only_the_first_is_told(dispatch: Dispatch) -> None:
    """An agreement that names no escalate_every ends at the head."""
    await dispatch.promise(close_within=days(1))
    name = (await dispatch.desk.record("7")).name
    await dispatch.route(name)
    for number in (2, 20, 200):
        await dispatch.at(number).look()
    assert await told(dispatch, name) == [("ada", 1, CLOSE)]


async def test_what_nobody_holds_is_told_once_somebody_does(dispatch: Dispatch) -> None:
    """A function without any head above it tells nobody, until it has one."""
    await dispatch.promise(close_within=days(1))
    name = (await dispatch.desk.record("7")).name
    await dispatch.at(2).look()
    assert await missed(dispatch, name) == [(CLOSE, 1)]
    await dispatch.at(3).route(name, "sales")
    await dispatch.look()
    assert await told(dispatch, name) == []
    headed = organisation.FunctionChanged(
        event_time=day(4), function="functions/sales", head="managers/di"
    )
    await happen(dispatch.desk.store, "function-sales", headed)
    await dispatch.at(4).look()
    assert await told(dispatch, name) == [("di", 1, CLOSE)]


async def test_a_loop_that_opens_again_has_a_new_deadline(dispatch: Dispatch) -> None:
    """Counted from its reopening; what was met or missed before stays so, and each counts."""
    await dispatch.promise(close_within=days(2))
    good, late = [(await dispatch.desk.record("7")).name for _ in range(2)]
    first = await dispatch.at(1).tell(good)
    await dispatch.at(3).look()
    second = await dispatch.tell(late)
    await dispatch.at(10).open_again(first, good)
    await dispatch.open_again(second, late)
    await dispatch.look()
    assert [item.close_deadline for item in await dispatch.inbox("")] == [day(12)] * 2
    assert not [item for item in await dispatch.inbox("") if item.breached]
    await dispatch.at(11).tell(late)
    await dispatch.at(13).look()
    assert await missed(dispatch, good) == [(CLOSE, 12)]
    assert await missed(dispatch, late) == [(CLOSE, 2)]
    assert await dispatch.report() == (4, [(0, 0, 0), (2, 2, 0)])
    assert await dispatch.report(start_time=day(5)) == (2, [(0, 0, 0), (1, 1, 0)])


async def test_an_answer_that_stands_keeps_a_loop_closed(dispatch: Dispatch) -> None:
    """Of two actions that told the customer, one that no longer holds opens nothing."""
    await dispatch.promise(close_within=days(2))
    name = (await dispatch.desk.record("7")).name
    first, second = await dispatch.tell(name), await dispatch.tell(name)
    await dispatch.at(5).open_again(first, name)
    assert await dispatch.held("") == []
    protest = feedback.LoopProtested(
        event_time=day(7), action=second, feedback=name, respond_time=day(6)
    )
    await happen(dispatch.desk.store, second.replace("actions/", "action-"), protest)
    (item,) = await dispatch.inbox("")
    assert (item.open_time, item.close_deadline) == (day(6), day(8))


async def test_deadlines_follow_segment_and_author(dispatch: Dispatch) -> None:
    """Where none was missed: counted from the same instant; one in the past is missed at once."""
    await dispatch.promise("all", accept_within=days(1), close_within=days(9))
    await dispatch.promise("vip", segment="vip", accept_within=days(8), close_within=days(3))
    name, unknown = (await dispatch.desk.record("7")).name, (await dispatch.desk.record()).name
    await dispatch.at(2).look()
    await dispatch.label("7", "vip")
    attributed = feedback.FeedbackAttributed(feedback=unknown, customer="customers/7")
    await happen(dispatch.desk.store, unknown.replace("feedback/", "feedback-"), attributed)
    for item in await dispatch.inbox(""):
        assert (item.sla, item.close_deadline) == ("slas/vip", day(3))
    assert await missed(dispatch, name) == [(ACCEPT, 1)]
    await dispatch.at(5).look()
    assert await missed(dispatch, name) == [(ACCEPT, 1), (CLOSE, 3)]
    await dispatch.label("7")
    await dispatch.at(30).look()
    assert await missed(dispatch, name) == [(ACCEPT, 1), (CLOSE, 3)]


async def test_a_promise_taken_back_is_not_missed(dispatch: Dispatch) -> None:
    """Loops come under the next best one, or under none; what was missed stays missed."""
    await dispatch.promise("all", close_within=days(9))
    await dispatch.promise("web", channel=feedback.CHANNEL_WEB, close_within=days(2))
    await dispatch.desk.record("7")
    await dispatch.at(1).withdraw("web")
    (item,) = await dispatch.inbox("")
    assert (item.sla, item.close_deadline) == ("slas/all", day(9))
    await dispatch.withdraw("all")
    (item,) = await dispatch.inbox("")
    assert item.sla == ""
    await dispatch.at(30).look()
    assert await missed(dispatch, item.feedback) == []
    assert await dispatch.report() == (0, [(0, 0, 0), (0, 0, 0)])


async def test_the_report_is_narrowed(dispatch: Dispatch) -> None:
    """By the function that missed it, by channel and by segment; a deadline just passed counts."""
    await dispatch.promise(close_within=days(2))
    await dispatch.label("8", "vip")
    ours, theirs = (await dispatch.desk.record("7")).name, (await dispatch.desk.record("8")).name
    mail = (await dispatch.desk.record("8", channel=feedback.CHANNEL_EMAIL)).name
    await dispatch.route(ours)
    await dispatch.route(theirs, "sales")
    await dispatch.at(3).look()
    await dispatch.send_back(ours)
    await dispatch.route(ours, "sales")
    none = (0, 0, 0)
    assert await dispatch.report(function="functions/service") == (1, [none, (0, 1, 0)])
    assert await dispatch.report(function="functions/sales") == (1, [none, (0, 1, 0)])
    assert await dispatch.report(channel=feedback.CHANNEL_EMAIL) == (1, [none, (0, 1, 0)])
    assert await dispatch.report(segment="vip") == (2, [none, (0, 2, 0)])
    assert await missed(dispatch, mail) == [(CLOSE, 2)]
    await dispatch.desk.record("7", receive_time=day(3))
    assert await dispatch.report() == (4, [none, (0, 3, 1)])
    dispatch.at(6)
    assert await dispatch.report() == (4, [none, (0, 4, 0)])


# --- nothing twice, nothing forgotten ---


async def history(dispatch: Dispatch) -> list[str]:
    """Let deadlines be met and missed, accepted late, told late, opened again; look each day."""
    await dispatch.promise(accept_within=days(1), close_within=days(3), escalate_every=days(2))
    names = [(await dispatch.desk.record("7")).name for _ in range(6)]
    for name in names[:4]:
        await dispatch.route(name)
    action = ""
    for number in range(1, 12):
        await dispatch.at(number).look()
        match number:
            case 1:
                await dispatch.accept(names[0])
                action = await dispatch.tell(names[0])
            case 2:
                await dispatch.accept(names[1])
            case 5:
                await dispatch.tell(names[1])
                await dispatch.open_again(action, names[0])
            case 7:
                await dispatch.send_back(names[2])
                await dispatch.route(names[2], "repair")
    await dispatch.look()
    return names


async def restarted(dispatch: Dispatch, folder: Path, kind: type[LoopSlas] = LoopSlas) -> int:
    """Look again with views folded anew and a policy that remembers nothing; answer new events."""
    store = dispatch.desk.store
    head = await store.head()
    database = SqliteDatabase(folder)
    projection = await rebuild(store, CODEC, database, VIEWS, head)
    policy = dispatch.policy(kind)
    policy._views = database
    await policy.tick(dispatch.desk.now)
    await dispatch.look(policy)
    await projection.close()
    return len(await dispatch.since(head))


async def test_a_replay_raises_nothing(dispatch: Dispatch, tmp_path: Path) -> None:
    """Twice over the same history, from rebuilt views, after a restart: the log stands still."""
    await history(dispatch)
    for number in range(2):
        assert await restarted(dispatch, tmp_path / f"again-{number}") == 0


class Forgetful(LoopSlas):
    """A planted fault: every look takes the loop for another one, opened at another instant."""

    looks = count(1)

    @classmethod
    def _breach(cls, due: Any) -> route.RouteCommand:
        command = LoopSlas._breach(due)
        assert isinstance(command, route.BreachSla)
        moment = timedelta(microseconds=next(cls.looks))
        return command.model_copy(update={"open_time": command.open_time - moment})


async def test_a_policy_that_raises_anew_is_found(dispatch: Dispatch, tmp_path: Path) -> None:
    """The check above sees a policy that puts on record again what it has put there before."""
    await dispatch.promise(close_within=days(1))
    await dispatch.desk.record("7")
    await dispatch.at(2).look(dispatch.policy(Forgetful))
    assert await restarted(dispatch, tmp_path / "again", Forgetful) > 0


async def test_views_built_anew_are_the_same(dispatch: Dispatch, tmp_path: Path) -> None:
    """Routes, deadlines and ladders follow from the log alone, row by row."""
    await history(dispatch)
    head = await dispatch.desk.store.head()
    database = SqliteDatabase(tmp_path / "anew")
    projection = await rebuild(dispatch.desk.store, CODEC, database, VIEWS, head)
    for table in FeedbackRoutes.tables:
        assert database.rows(table) == dispatch.desk.projection.database.rows(table), table
    await projection.close()


async def test_two_instances_raise_each_breach_once(dispatch: Dispatch) -> None:
    """Both look at the same instant at the same forty; each missed deadline is on record once."""
    await dispatch.promise(accept_within=days(1), close_within=days(1), escalate_every=days(1))
    names = [(await dispatch.desk.record("7")).name for _ in range(40)]
    for name in names:
        await dispatch.route(name)
    for number in (2, 4, 6):
        dispatch.at(number)
        await asyncio.gather(*(dispatch.look(dispatch.policy()) for _ in range(2)))
    for name in names:
        assert sorted(await missed(dispatch, name)) == [(ACCEPT, 1), (CLOSE, 1)]
        assert len(await told(dispatch, name)) == len(set(await told(dispatch, name)))


async def test_nothing_is_forgotten_while_nobody_looks(dispatch: Dispatch) -> None:
    """Missed and then done while the process was down: on record late, with the old deadline."""
    await dispatch.promise(accept_within=days(1), close_within=days(2), escalate_every=days(1))
    done, waiting = [(await dispatch.desk.record("7")).name for _ in range(2)]
    for name in (done, waiting):
        await dispatch.route(name)
    await dispatch.at(5).accept(done)
    await dispatch.tell(done)
    await dispatch.at(20).look()
    for name in (done, waiting):
        assert sorted(await missed(dispatch, name)) == [(ACCEPT, 1), (CLOSE, 2)]
    assert await told(dispatch, done) == []
    assert (await dispatch.way(waiting)).breaches[0].notice_time == day(20)
    assert sorted({level for _, level, _ in await told(dispatch, waiting)}) == [1]


async def test_one_that_fails_holds_up_no_other(dispatch: Dispatch) -> None:
    """Others are put on record; the failure is raised, so that the ticker tries again."""
    await dispatch.promise(close_within=days(1))
    bad, good = [(await dispatch.desk.record("7")).name for _ in range(2)]

    class Failing(LoopSlas):
        async def _send(self, command: route.RouteCommand) -> None:
            if command.name == bad:
                raise ZeroDivisionError
            await super()._send(command)

    dispatch.at(2)
    with pytest.raises(ZeroDivisionError):
        await dispatch.look(dispatch.policy(Failing))
    assert await missed(dispatch, good) == [(CLOSE, 1)]
    await dispatch.look()
    assert await missed(dispatch, bad) == [(CLOSE, 1)]


async def test_deadlines_that_are_due_come_from_an_index(dispatch: Dispatch) -> None:
    """However many run, those that are due are read in order, from an index that holds no other."""
    from services.feedback.views.routing import missed as due  # noqa: PLC0415 - its statements

    values = {"now": 0, "t": 0, "p": 0, "s": 0, "limit": 1}
    with dispatch.desk.projection.database.read() as db:
        for sql, index in ((due._MISSED, "deadline_running"), (due._LADDERS, "ladder_next")):
            plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
            assert f"USING INDEX {index}" in plan[0], plan
            assert not [line for line in plan if "SCAN" in line or "B-TREE" in line], plan


def test_days_are_counted_from_the_first() -> None:
    """The helper that reads deadlines counts from the day on which these histories begin."""
    assert day(0) == timestamp(DAY_0)
