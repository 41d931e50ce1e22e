"""Promises made, kept or taken back, and told."""

import pytest
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api
from google.type.date_pb2 import Date
from grpc import StatusCode

from tests.contract.chassis.serving import refused
from tests.contract.feedback.desk import Desk, day, names
from tests.contract.feedback.market import identify

FIRST = "8a2c4a3e-8d0f-4d0c-9a5e-6a5d5f1f0a01"


async def said(desk: Desk, count: int) -> list[str]:
    """Record some feedback, and answer its names, sorted."""
    return sorted([(await desk.record("7")).name for _ in range(count)])


async def test_a_promise_is_answered_as_it_was_made(desk: Desk) -> None:
    """Everything promised is answered, sorted, with state, etag and times; and found again."""
    one, two = await said(desk, 2)
    due = Date(year=2024, month=6, day=30)
    wanted = await identify(desk, one)
    action = await desk.at(1).commit(two, one, needs=[wanted.name], due_date=due)
    assert action == api.Action(
        name=action.name,
        kind=events.ACTION_KIND_PRODUCT_CHANGE,
        title="a larger battery",
        feedback=[one, two],
        needs=[wanted.name],
        owner="functions/research",
        due_date=due,
        state=api.ACTION_STATE_COMMITTED,
        create_time=day(1),
        update_time=day(1),
        commit_time=day(1),
        etag="0",
    )
    assert await desk.stub.GetAction(api.GetActionRequest(name=action.name)) == action


async def test_the_whole_way_of_an_action(desk: Desk) -> None:
    """Committed, completed, told in two steps: state, outcome, told count and etag follow."""
    one, two = await said(desk, 2)
    action = await desk.at(1).commit(one, two)
    done = await desk.at(2).complete(action.name, etag="0")
    assert (done.state, done.outcome) == (api.ACTION_STATE_COMPLETED, "it lasts two days")
    assert (done.etag, done.update_time, done.told_count) == ("1", day(2), 0)
    told = await desk.at(3).tell(action.name, two)
    assert (told.told_count, told.etag, told.update_time) == (1, "2", day(3))
    told = await desk.at(4).tell(action.name)
    assert (told.told_count, told.etag) == (2, "3")
    assert (await desk.tell(action.name)).etag == "3"
    closed = ["LoopClosed"] * 2
    assert (await names(desk.store))[2:] == ["ActionCommitted", "ActionCompleted", *closed]


async def test_a_refusal_has_its_reason(desk: Desk) -> None:
    """A declined action says why, and its customers can be told."""
    (one,) = await said(desk, 1)
    action = await desk.commit(one)
    declined = await desk.decline(action.name)
    assert (declined.state, declined.outcome) == (api.ACTION_STATE_DECLINED, "too heavy")
    assert (await desk.tell(action.name)).told_count == 1


async def test_what_cannot_be_done_as_things_stand(desk: Desk) -> None:
    """Nothing to tell, ended before, not linked: FAILED_PRECONDITION with its own reason."""
    one, two = await said(desk, 2)
    action = await desk.commit(one)
    early = await refused(desk.tell(action.name))
    assert (early.code, early.info.reason) == (StatusCode.FAILED_PRECONDITION, "NOTHING_TO_TELL")
    await desk.complete(action.name)
    assert (await refused(desk.decline(action.name))).info.reason == "ACTION_ENDED"
    stranger = await refused(desk.tell(action.name, one, two))
    assert (stranger.info.reason, stranger.info.metadata["feedback"]) == ("NOT_LINKED", two)
    assert (await names(desk.store))[2:] == ["ActionCommitted", "ActionCompleted"]


async def test_what_is_not_there_cannot_be_answered(desk: Desk) -> None:
    """Unknown feedback, needs and actions are NOT_FOUND by name."""
    (one,) = await said(desk, 1)
    answer = await refused(desk.commit(one, "feedback/nobody"))
    assert (answer.code, answer.info.metadata["resource"]) == (
        StatusCode.NOT_FOUND,
        "feedback/nobody",
    )
    answer = await refused(desk.commit(one, needs=["needs/nobody"]))
    assert (answer.code, dict(answer.info.metadata)) == (
        StatusCode.NOT_FOUND,
        {"resource": "needs/nobody", "field": "needs"},
    )
    answer = await refused(desk.commit(one, owner="functions/nobody"))
    assert (answer.code, dict(answer.info.metadata)) == (
        StatusCode.NOT_FOUND,
        {"resource": "functions/nobody", "field": "owner"},
    )
    for call in (desk.complete, desk.decline, desk.tell):
        assert (await refused(call("actions/none"))).code is StatusCode.NOT_FOUND
    get = desk.stub.GetAction(api.GetActionRequest(name="actions/none"))
    assert (await refused(get)).code is StatusCode.NOT_FOUND
    get = desk.stub.GetAction(api.GetActionRequest(name="feedback/1"))
    assert (await refused(get)).code is StatusCode.INVALID_ARGUMENT


async def test_a_repeated_promise_is_one_promise(desk: Desk) -> None:
    """The same request id gives the action as it was promised, whatever became of it since."""
    (one,) = await said(desk, 1)
    first = await desk.commit(one, request_id=FIRST)
    await desk.complete(first.name)
    assert await desk.commit(one, request_id=FIRST) == first
    answer = await refused(desk.commit(one, request_id=FIRST, title="another"))
    assert answer.code is StatusCode.ALREADY_EXISTS


async def test_changes_by_a_stale_etag_are_aborted(desk: Desk) -> None:
    """Completing, declining and telling by an etag of before change nothing."""
    (one,) = await said(desk, 1)
    action = await desk.commit(one)
    for call in (desk.complete, desk.decline):
        assert (await refused(call(action.name, etag="7"))).code is StatusCode.ABORTED
    await desk.complete(action.name, etag="0")
    assert (await refused(desk.tell(action.name, etag="0"))).code is StatusCode.ABORTED
    assert (await desk.tell(action.name, etag="1")).told_count == 1


async def test_every_wrong_field_of_a_promise_is_named(desk: Desk) -> None:
    """Kind, title, owner, links, day and request id are each named, all at once."""
    answer = await refused(
        desk.commit(
            "customers/7",
            kind=0,
            title=" ",
            owner="people/7",
            needs=["needs/Four"],
            due_date=Date(year=2024, month=13, day=1),
            request_id="seven",
        )
    )
    assert answer.fields.keys() == {
        "feedback[0]",
        "kind",
        "title",
        "owner",
        "needs[0]",
        "due_date",
        "request_id",
    }


async def test_a_thousand_wrong_links_are_refused_in_a_message_that_arrives(desk: Desk) -> None:
    """More violations than a client can take are cut short, and the refusal still precise."""
    answer = await refused(desk.commit(*(f"customers/{i}" for i in range(1000))))
    assert answer.code is StatusCode.INVALID_ARGUMENT
    assert "feedback[0]" in answer.fields


@pytest.mark.parametrize("count", [1, 1000])
async def test_an_action_answers_up_to_a_thousand_items(desk: Desk, count: int) -> None:
    """All of them are told at once, each in an event of its own."""
    items = [
        api.RecordFeedbackRequest(
            customer="customers/7",
            channel=events.CHANNEL_WEB,
            text="dies",
            receive_time=day(0),
            source="s",
            source_id=str(i),
        )
        for i in range(count)
    ]
    await desk.stub.ImportFeedback(api.ImportFeedbackRequest(feedback=items))
    listed = await desk.ask("ListFeedback", api.ListFeedbackRequest(page_size=1000))
    action = await desk.commit(*(said.name for said in listed.feedback))
    await desk.complete(action.name)
    told = await desk.tell(action.name)
    assert (told.told_count, told.etag) == (count, str(count + 1))
