"""Everybody reads his own writes: positions go out with changes and come back with questions."""

import asyncio
from typing import Any

import pytest
from equiloop.feedback.v1 import service_pb2 as api
from grpc import StatusCode

from libs.chassis import handlers
from libs.chassis.call import MIN_POSITION, POSITION, current
from libs.chassis.server import gate
from tests.contract.chassis.serving import refused, serving


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give answers more time to arrive before the client's deadline than a busy machine needs."""
    monkeypatch.setattr(handlers, "_ANSWER_BEFORE", 0.45)


class Views:
    """Come as far as they are told to, and know who waits."""

    def __init__(self) -> None:
        self.position = 0
        self.moved, self.asked = asyncio.Condition(), asyncio.Event()

    async def wait(self, position: int) -> None:
        self.asked.set()
        async with self.moved:
            await self.moved.wait_for(lambda: self.position >= position)

    async def move(self, position: int) -> None:
        async with self.moved:
            self.position = position
            self.moved.notify_all()


async def writes(_: Any) -> api.Feedback:
    for position in (7, 41, 12):
        current().wrote(position)
    return api.Feedback()


def asking(position: str) -> dict[str, Any]:
    return {"metadata": ((MIN_POSITION, position),)}


async def test_a_change_answers_with_its_position() -> None:
    """The position of the last event is in the trailing metadata; without events there is none."""
    async with serving(writes) as it:
        call = it.record()
        await call
        assert dict(await call.trailing_metadata())[POSITION] == "41"
    async with serving() as it:
        call = it.record()
        await call
        assert POSITION not in dict(await call.trailing_metadata())


async def test_a_question_waits_for_the_position_it_names() -> None:
    """A query is not answered before the views have come as far as asked."""
    views = Views()
    async with serving(wait=views.wait) as it:
        answer = asyncio.create_task(it.get(**asking("41")))
        await views.asked.wait()
        await views.move(40)
        assert not (await asyncio.wait({answer}, timeout=0.05))[0]
        await views.move(41)
        assert (await answer).text == "hello"


async def test_all_views_are_waited_for() -> None:
    """Where a service has several sets of views, the last one counts."""
    views = [Views(), Views()]
    async with serving(wait=gate([each.wait for each in views])) as it:
        answer = asyncio.create_task(it.get(**asking("5")))
        await views[0].move(5)
        assert not (await asyncio.wait({answer}, timeout=0.05))[0]
        await views[1].move(5)
        await answer


@pytest.mark.parametrize("own", [{}, {"timeout": 0.5}], ids=["default deadline", "own deadline"])
async def test_waiting_is_given_up_in_time(own: dict[str, Any]) -> None:
    """Views that do not come are reported with the position, before the client's deadline."""
    async with serving(wait=Views().wait, deadline=0.05) as it:
        answer = await refused(it.get(**asking("41"), **own))
    assert (answer.code, answer.info.reason) == (
        StatusCode.DEADLINE_EXCEEDED,
        "POSITION_NOT_REACHED",
    )
    assert "position 41" in answer.message


async def test_a_stream_waits_too_but_not_for_its_whole_life() -> None:
    """A stream waits for the position it names no longer than any other call."""
    async with serving(wait=Views().wait, deadline=0.05) as it, asyncio.timeout(10):
        answer = await refused(it.watch(**asking("41")).read())
    assert answer.info.reason == "POSITION_NOT_REACHED"


@pytest.mark.parametrize("position", ["x", "-1", "1.5", "0x1", "9" * 20, "9" * 5000], ids=len)
async def test_what_is_no_position_is_refused(position: str) -> None:
    """A position that was never given out is INVALID_ARGUMENT, by the name of the metadata."""
    async with serving(wait=Views().wait) as it:
        answer = await refused(it.get(**asking(position)))
    assert (answer.code, set(answer.fields)) == (StatusCode.INVALID_ARGUMENT, {MIN_POSITION})


async def test_a_change_does_not_wait() -> None:
    """A position named with a change is not looked at: decisions are made on the log itself."""
    async with serving(wait=Views().wait) as it:
        assert (await it.record(**asking("41"))).text == "hello"
