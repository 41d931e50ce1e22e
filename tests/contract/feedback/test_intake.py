"""Words in: recorded, imported, coded, found again."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from libs.chassis.call import POSITION
from libs.eventstore.port import Expected
from libs.kernel.values import derived_id
from tests.contract.chassis.serving import refused
from tests.contract.feedback.desk import Desk, day, names, paged

FIRST = "8a2c4a3e-8d0f-4d0c-9a5e-6a5d5f1f0a01"


def item(source_id: str, **fields: Any) -> api.RecordFeedbackRequest:
    """One item of an import."""
    usual: dict[str, Any] = {
        "channel": events.CHANNEL_REVIEW,
        "text": "the battery dies",
        "receive_time": day(1),
        "source": "reviews",
        "source_id": source_id,
    }
    return api.RecordFeedbackRequest(**(usual | fields))


async def test_what_is_recorded_can_be_got(desk: Desk) -> None:
    """Everything that was said is answered, with times, an etag and a name; and found by it."""
    desk.at(3)
    score = events.Score(scale=events.SCORE_SCALE_CSAT, value=2)
    said = await desk.record(
        "7", language_code="en", score=score, receive_time=day(1), source="shop", source_id="9"
    )
    assert said == api.Feedback(
        name=said.name,
        customer="customers/7",
        channel=events.CHANNEL_WEB,
        language_code="en",
        text="the battery dies",
        score=score,
        receive_time=day(1),
        source="shop",
        source_id="9",
        create_time=day(3),
        update_time=day(3),
        etag="0",
    )
    assert await desk.stub.GetFeedback(api.GetFeedbackRequest(name=said.name)) == said


async def test_a_change_answers_with_its_position_in_the_log(desk: Desk) -> None:
    """The trailing position of a change is that of its event: the head of this log."""
    request = api.RecordFeedbackRequest(channel=events.CHANNEL_WEB, text="dies")
    call = desk.stub.RecordFeedback(request)
    await call
    assert dict(await call.trailing_metadata())[POSITION] == str(await desk.store.head())


async def test_a_repeated_request_records_once(desk: Desk) -> None:
    """The same request id gives the same feedback; with other content it is ALREADY_EXISTS."""
    first = await desk.record(request_id=FIRST)
    assert await desk.at(9).record(request_id=FIRST) == first
    answer = await refused(desk.record(request_id=FIRST, text="the screen breaks"))
    assert (answer.code, answer.info.reason) == (StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert await names(desk.store) == ["FeedbackReceived"]


async def test_a_source_records_once(desk: Desk) -> None:
    """A source that sends an item again, under whatever request id, gets the first one."""
    source: dict[str, Any] = {"source": "shop", "source_id": "9", "receive_time": day(1)}
    first = await desk.record(**source)
    assert await desk.at(5).record(**source, request_id=FIRST) == first
    answer = await refused(desk.record(**source, text="the screen breaks"))
    assert (answer.code, answer.info.reason) == (StatusCode.ALREADY_EXISTS, "SOURCE_ID_REUSED")
    assert await names(desk.store) == ["FeedbackReceived"]


async def test_every_wrong_field_is_named(desk: Desk) -> None:
    """All that is wrong with a request is told at once, by path, and nothing is recorded."""
    answer = await refused(
        desk.record(
            "Seven",
            channel=0,
            language_code="english!",
            receive_time=Timestamp(seconds=1 << 60),
            score=events.Score(scale=events.SCORE_SCALE_NPS, value=11),
            request_id="seven",
        )
    )
    assert answer.code is StatusCode.INVALID_ARGUMENT
    assert answer.fields.keys() == {
        "customer",
        "channel",
        "language_code",
        "receive_time",
        "score.value",
        "request_id",
    }
    assert await names(desk.store) == []


async def test_an_unknown_author_is_not_found(desk: Desk) -> None:
    """A customer of whom the log knows nothing is NOT_FOUND, by field; nobody at all is fine."""
    answer = await refused(desk.record("99"))
    assert (answer.code, answer.info.metadata["field"]) == (StatusCode.NOT_FOUND, "customer")
    assert (await desk.record()).customer == ""


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", StatusCode.INVALID_ARGUMENT),
        ("feedback/", StatusCode.INVALID_ARGUMENT),
        ("customers/7", StatusCode.INVALID_ARGUMENT),
        ("feedback/" + "x" * 10_000, StatusCode.INVALID_ARGUMENT),
        ("feedback/nobody", StatusCode.NOT_FOUND),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_what_is_not_there_is_told_from_what_cannot_be(
    desk: Desk, name: str, code: StatusCode
) -> None:
    """A name that cannot be one is INVALID_ARGUMENT, a name of nothing NOT_FOUND; everywhere."""
    coder = events.Coder(name="people/7")
    calls = [
        desk.stub.GetFeedback(api.GetFeedbackRequest(name=name)),
        desk.stub.TraceFeedback(api.TraceFeedbackRequest(name=name)),
        desk.stub.CodeFeedback(api.CodeFeedbackRequest(name=name, coder=coder)),
    ]
    assert [(await refused(call)).code for call in calls] == [code] * 3


async def test_the_latest_coding_counts(desk: Desk) -> None:
    """Coding shows at once; the later one replaces the earlier, and both are in history."""
    said = await desk.record("7")
    await desk.at(1).code(said.name, "price", "battery", sentiment=-0.5, etag=said.etag)
    coded = await desk.at(2).code(said.name, "screen", sentiment=0.25)
    assert (list(coded.themes), coded.sentiment, coded.etag) == (["screen"], 0.25, "2")
    assert (coded.create_time, coded.update_time) == (day(0), day(2))
    assert coded.coder.name == "people/7"
    listed = await desk.ask("ListFeedback", api.ListFeedbackRequest(theme="battery"))
    assert not listed.feedback
    assert await names(desk.store) == ["FeedbackReceived", "FeedbackCoded", "FeedbackCoded"]


async def test_a_stale_etag_is_aborted(desk: Desk) -> None:
    """Who codes by an etag of before is told the present one, and nothing is coded."""
    said = await desk.record()
    await desk.code(said.name, "battery", etag="0")
    answer = await refused(desk.code(said.name, "screen", etag="0"))
    assert (answer.code, answer.info.reason) == (StatusCode.ABORTED, "STALE_ETAG")
    assert answer.info.metadata["etag"] == "1"
    assert (await refused(desk.code(said.name, "Screen", etag="x"))).fields.keys() == {
        "themes[0]",
        "etag",
    }


async def test_an_import_answers_for_each_item(desk: Desk) -> None:
    """New, known and wrong items are counted; each error has its index and its status."""
    before = await desk.stub.ImportFeedback(api.ImportFeedbackRequest(feedback=[item("0")]))
    assert (before.created_count, before.unchanged_count, before.error_count) == (1, 0, 0)
    items = [
        item("0"),
        item("1", request_id="not looked at"),
        item("0", text="the screen breaks"),
        item("2", customer="customers/99"),
        item("3", text="", channel=0),
        item("4", source=""),
        item("5", customer="customers/7"),
        item("5", customer="customers/7"),
    ]
    answer = await desk.stub.ImportFeedback(api.ImportFeedbackRequest(feedback=items))
    assert (answer.created_count, answer.unchanged_count, answer.error_count) == (2, 2, 4)
    assert [(error.index, error.status.code) for error in answer.errors] == [
        (2, StatusCode.ALREADY_EXISTS.value[0]),
        (3, StatusCode.NOT_FOUND.value[0]),
        (4, StatusCode.INVALID_ARGUMENT.value[0]),
        (5, StatusCode.INVALID_ARGUMENT.value[0]),
    ]
    assert fields(answer.errors[2].status) == {"channel"}
    assert fields(answer.errors[3].status) == {"source"}


async def test_an_item_that_was_ended_fails_alone(desk: Desk) -> None:
    """An item whose stream was ended for ever is NOT_FOUND; the others are taken."""
    ended = derived_id("feedback", "reviews", "1")
    await desk.store.tombstone(f"feedback-{ended}", Expected.ANY)
    request = api.ImportFeedbackRequest(feedback=[item(str(i)) for i in range(3)])
    answer = await desk.stub.ImportFeedback(request)
    assert (answer.created_count, answer.error_count) == (2, 1)
    assert [(error.index, error.status.code) for error in answer.errors] == [
        (1, StatusCode.NOT_FOUND.value[0])
    ]


def fields(status: Status) -> set[str]:
    """The fields that a status names."""
    bad = details.BadRequest()
    assert any(detail.Unpack(bad) for detail in status.details)
    return {violation.field for violation in bad.field_violations}


async def test_an_import_again_changes_nothing(desk: Desk) -> None:
    """A re-run adds nothing to the log, and answers the same etags."""
    request = api.ImportFeedbackRequest(feedback=[item(str(i)) for i in range(50)])
    await desk.stub.ImportFeedback(request)
    head = await desk.store.head()
    again = await desk.at(9).stub.ImportFeedback(request)
    assert (again.created_count, again.unchanged_count, again.error_count) == (0, 50, 0)
    assert await desk.store.head() == head


@pytest.mark.parametrize(("count", "fine"), [(0, False), (1000, True), (1001, False)])
async def test_an_import_has_a_size(desk: Desk, count: int, fine: bool) -> None:
    """A batch has from one to a thousand items."""
    request = api.ImportFeedbackRequest(feedback=[item(str(i)) for i in range(count)])
    if fine:
        assert (await desk.stub.ImportFeedback(request)).created_count == count
    else:
        assert (await refused(desk.stub.ImportFeedback(request))).fields.keys() == {"feedback"}


async def test_a_stream_of_batches_is_one_import(desk: Desk) -> None:
    """Indexes go on from batch to batch, and one answer counts them all."""

    async def batches() -> AsyncIterator[api.ImportFeedbackRequest]:
        for start in (0, 3):
            some = [item(str(start + i)) for i in range(2)]
            yield api.ImportFeedbackRequest(feedback=[*some, item("x", customer="customers/99")])

    answer = await desk.stub.ImportFeedbackStream(batches())
    assert (answer.created_count, [error.index for error in answer.errors]) == (4, [2, 5])


async def test_a_stream_without_a_batch_is_nothing(desk: Desk) -> None:
    """No batch at all imports nothing; an empty batch is refused."""

    def empty(*batches: api.ImportFeedbackRequest) -> Iterator[api.ImportFeedbackRequest]:
        yield from batches

    answer = await desk.stub.ImportFeedbackStream(empty())
    assert answer == api.ImportFeedbackResponse()
    call = desk.stub.ImportFeedbackStream(empty(api.ImportFeedbackRequest()))
    assert (await refused(call)).fields.keys() == {"feedback"}


async def test_lists_are_narrowed(desk: Desk) -> None:
    """By customer, theme and channel, each and together, in the order of recording."""
    first = await desk.record("7")
    second = await desk.record("8", channel=events.CHANNEL_PHONE)
    third = await desk.record("7", channel=events.CHANNEL_PHONE)
    for said in (first, third):
        await desk.code(said.name, "battery")

    async def listed(**narrowed: Any) -> list[str]:
        answer = await desk.ask("ListFeedback", api.ListFeedbackRequest(**narrowed))
        return [said.name for said in answer.feedback]

    assert await listed() == [first.name, second.name, third.name]
    assert await listed(customer="customers/7") == [first.name, third.name]
    assert await listed(channel=events.CHANNEL_PHONE) == [second.name, third.name]
    assert await listed(theme="battery", channel=events.CHANNEL_PHONE) == [third.name]
    assert await listed(theme="screen") == []


async def test_lists_are_read_to_the_end(desk: Desk) -> None:
    """Pages of any size hold every item once, in order; the last has no token."""
    said = [(await desk.record("7")).name for _ in range(7)]
    for size, lengths in ((3, [3, 3, 1]), (7, [7]), (0, [7])):
        pages = await paged(
            desk, "ListFeedback", api.ListFeedbackRequest(page_size=size), "feedback"
        )
        assert [len(page) for page in pages] == lengths
        assert [each.name for page in pages for each in page] == said


async def test_a_page_of_long_texts_fits_a_message(desk: Desk) -> None:
    """However long the texts, a page ends before a message is full, and the next goes on."""
    items = [item(str(i), text="語" * 10_000) for i in range(150)]
    for some in (items[:75], items[75:]):
        await desk.stub.ImportFeedback(api.ImportFeedbackRequest(feedback=some))
    request = api.ListFeedbackRequest(page_size=1000)
    pages = await paged(desk, "ListFeedback", request, "feedback")
    assert len(pages) > 1
    assert sum(len(page) for page in pages) == 150


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({"page_size": -1, "customer": "Seven"}, {"page_size", "customer"}),
        ({"theme": "No Theme"}, {"theme"}),
        ({"channel": 99}, {"channel"}),
        ({"page_token": "seven"}, {"page_token"}),
    ],
)
async def test_a_list_that_makes_no_sense_is_refused(
    desk: Desk, asked: dict[str, Any], wrong: set[str]
) -> None:
    """Sizes, conditions and tokens that cannot be are named."""
    answer = await refused(desk.stub.ListFeedback(api.ListFeedbackRequest(**asked)))
    assert (answer.code, set(answer.fields)) == (StatusCode.INVALID_ARGUMENT, wrong)
