"""A request that is sent again is done once, and answered as it was the first time."""

import asyncio

import pytest

from libs.decider import Handled
from libs.eventstore.port import EventStore
from libs.kernel.refusals import AlreadyExists, Invalid, Refusal
from services.feedback.domain.feedback import Feedback
from tests.contract.decider.scene import FIRST, SECOND, code, decider, log, names, record, recording


def themes(handled: Handled[Feedback]) -> list[str]:
    assert handled.state.coded is not None
    return list(handled.state.coded.themes)


async def test_a_request_again_is_answered_as_the_first_time(embedded: EventStore) -> None:
    """The same id gives the same answer, from this memory and from another, and nothing happens."""
    by = decider(embedded)
    first = await record(by, recording(request_id=FIRST))
    for again in (by, decider(embedded)):
        for new in (True, False):
            answer = await record(again, recording(request_id=FIRST), new=new)
            assert answer == Handled(first.state, 0, first.position, changed=False)
    assert first.changed
    assert await names(embedded) == ["FeedbackReceived"]


async def test_later_changes_do_not_change_the_first_answer(embedded: EventStore) -> None:
    """A repeat after the thing has moved on is answered with the state as it was then."""
    by = decider(embedded)
    await record(by, recording())
    first = await code(by, "battery", request_id=FIRST)
    await code(by, "screen", request_id=SECOND)
    for again in (by, decider(embedded)):
        answer = await code(again, "battery", request_id=FIRST)
        assert (themes(answer), answer.revision, answer.position) == (
            ["battery"],
            1,
            first.position,
        )
        assert not answer.changed
    assert len(await log(embedded)) == 3


async def test_what_was_answered_is_remembered_when_more_is_read(embedded: EventStore) -> None:
    """A memory that catches up with others' changes still knows the requests it had answered."""
    by = decider(embedded)
    await record(by, recording())
    await code(by, "battery", request_id=FIRST)
    await code(decider(embedded), "price")
    assert (await code(by, "screen")).revision == 3
    assert not (await code(by, "battery", request_id=FIRST)).changed


async def test_the_same_id_with_other_content_is_refused(embedded: EventStore) -> None:
    """One id cannot serve two requests, of the same kind or of two."""
    by = decider(embedded)
    await record(by, recording(request_id=FIRST))
    for again in (by, decider(embedded)):
        with pytest.raises(AlreadyExists) as caught:
            await code(again, "battery", request_id=FIRST)
        assert caught.value.reason == "REQUEST_ID_REUSED"
        with pytest.raises(AlreadyExists):
            await record(again, recording("lives", request_id=FIRST))
    assert len(await log(embedded)) == 1


async def test_a_repeat_is_known_before_it_is_judged(embedded: EventStore) -> None:
    """A request that was done is answered although its etag is stale by now, by its own doing."""
    by = decider(embedded)
    await record(by, recording())
    await code(by, "battery", etag=0, request_id=FIRST)
    assert not (await code(decider(embedded), "battery", etag=0, request_id=FIRST)).changed


@pytest.mark.parametrize("processes", [1, 2], ids=["one process", "two processes"])
async def test_the_same_request_twice_at_once_is_done_once(
    embedded: EventStore, processes: int
) -> None:
    """Two calls that race with one id, here or in two processes, get one answer."""
    by = [decider(embedded) for _ in range(processes)]
    calls = (record(by[i % processes], recording(request_id=FIRST)) for i in range(10))
    answers = await asyncio.gather(*calls)
    assert [answer.changed for answer in answers].count(True) == 1
    assert {(answer.revision, answer.position) for answer in answers} == {(0, answers[0].position)}
    assert await names(embedded) == ["FeedbackReceived"]


async def test_a_refused_request_may_be_sent_again(embedded: EventStore) -> None:
    """A refusal leaves no trace: the same id succeeds once things stand otherwise."""
    by = decider(embedded)
    with pytest.raises(Refusal):
        await code(by, "battery", request_id=FIRST)
    await record(by, recording())
    assert (await code(by, "battery", request_id=FIRST)).changed


async def test_a_request_id_that_is_no_uuid_is_not_handled(embedded: EventStore) -> None:
    """Should nobody have parsed it, a malformed id is refused here."""
    message = recording(request_id=FIRST)
    message.request_id = "seven"
    with pytest.raises(Invalid, match="request_id"):
        await record(decider(embedded), message)
    assert await log(embedded) == []
