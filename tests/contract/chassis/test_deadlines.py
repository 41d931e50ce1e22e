"""No call is unbounded: a default deadline, the client's own, and the life of a stream."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from equiloop.feedback.v1 import service_pb2 as api
from equiloop.metrics.v1.service_pb2 import CustomerEquity, WatchCustomerEquityResponse
from grpc import StatusCode

from libs.chassis import handlers
from tests.contract.chassis.serving import refused, serving


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give answers more time to arrive before the client's deadline than a busy machine needs."""
    monkeypatch.setattr(handlers, "_ANSWER_BEFORE", 0.45)


class Endless:
    """Answers nothing, and notes when it was ended."""

    def __init__(self) -> None:
        self.begun, self.ended = asyncio.Event(), asyncio.Event()

    async def answer(self, _: Any) -> api.Feedback:
        try:
            self.begun.set()
            await asyncio.Event().wait()
        finally:
            self.ended.set()
        raise AssertionError

    async def replies(self, _: Any) -> AsyncIterator[WatchCustomerEquityResponse]:
        yield WatchCustomerEquityResponse()
        await self.answer(None)


async def test_a_call_without_a_deadline_has_one() -> None:
    """The server's default ends the call, tells the client why, and ends the work."""
    endless = Endless()
    async with serving(endless.answer, deadline=0.05) as it:
        answer = await refused(it.get())
        await endless.ended.wait()
    assert (answer.code, answer.info.reason) == (StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
    assert answer.message == "no answer in time"


async def test_a_client_hears_why_before_its_own_deadline() -> None:
    """The server gives up a little earlier than the client would, and says so with details."""
    endless = Endless()
    async with serving(endless.answer) as it:
        answer = await refused(it.get(timeout=0.5))
        await endless.ended.wait()
    assert (answer.code, answer.message) == (StatusCode.DEADLINE_EXCEEDED, "no answer in time")


async def test_a_client_may_wait_longer_than_the_default() -> None:
    """A client's deadline replaces the default, longer or shorter."""

    async def slow(_: Any) -> api.Feedback:
        await asyncio.sleep(0.1)
        return api.Feedback(text="at last")

    async with serving(slow, deadline=0.01) as it:
        assert (await it.get(timeout=10)).text == "at last"


async def test_a_client_that_goes_ends_the_work() -> None:
    """Cancelling a call or a stream cancels what was done for it."""
    for streaming in (False, True):
        endless = Endless()
        async with serving(endless.answer, endless.replies) as it:
            call = it.watch() if streaming else it.record()
            if streaming:
                await call.read()
            await endless.begun.wait()
            call.cancel()
            async with asyncio.timeout(10):
                await endless.ended.wait()


async def test_a_stream_lives_its_life_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream without a deadline ends without an error after its longest life."""
    monkeypatch.setattr(handlers, "STREAM_LIFE", 0.05)
    endless = Endless()
    async with serving(replies=endless.replies) as it:
        replies = [reply async for reply in it.watch()]
        assert endless.ended.is_set()
    assert len(replies) == 1


async def test_a_stream_ends_at_its_clients_deadline() -> None:
    """A stream that its client gave a deadline ends with DEADLINE_EXCEEDED, after its replies."""
    endless = Endless()
    async with serving(replies=endless.replies) as it:
        call = it.watch(timeout=0.5)
        await call.read()
        answer = await refused(call.read())
        await endless.ended.wait()
    assert answer.code is StatusCode.DEADLINE_EXCEEDED


async def test_time_does_not_strike_a_client_that_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream whose time ends while the client reads what it has ends cleanly, not broken off."""
    monkeypatch.setattr(handlers, "STREAM_LIFE", 0.2)

    async def plenty(_: Any) -> AsyncIterator[WatchCustomerEquityResponse]:
        while True:
            yield WatchCustomerEquityResponse(equity=CustomerEquity(purchase_model="m" * 100_000))

    async with serving(replies=plenty) as it:
        call, end = it.watch(), time.monotonic() + 0.4
        await call.read()
        await asyncio.sleep(max(end - time.monotonic(), 0))
        while await call.read() is not grpc.aio.EOF:
            pass
        assert await call.code() is StatusCode.OK
