"""Everything has a limit: calls at once, and the size of a message either way."""

import asyncio
from typing import Any

import grpc
import pytest
from equiloop.feedback.v1 import service_pb2 as api
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.contract.chassis.serving import refused, serving


async def test_too_many_calls_at_once_are_told_to_come_again() -> None:
    """Calls over the limit are RESOURCE_EXHAUSTED with a delay; room is made as calls end."""
    release, running = asyncio.Event(), asyncio.Semaphore(0)

    async def slow(_: Any) -> api.Feedback:
        running.release()
        await release.wait()
        return api.Feedback()

    async with serving(slow, max_concurrent=2) as it, asyncio.timeout(10):
        calls = [asyncio.ensure_future(it.get()) for _ in range(2)]
        for _ in calls:
            await running.acquire()
        answer = await refused(it.get())
        assert (answer.code, answer.info.reason) == (StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert answer.retry
        assert (await refused(it.watch().read())).code is StatusCode.RESOURCE_EXHAUSTED
        health: Any = health_pb2_grpc.HealthStub(it.channel)
        assert await health.Check(health_pb2.HealthCheckRequest())
        release.set()
        await asyncio.gather(*calls)
        await it.get()


@pytest.mark.parametrize("where", ["request", "reply"])
async def test_a_message_too_large_is_refused(where: str) -> None:
    """A request over the limit is not read, a reply over it not sent: RESOURCE_EXHAUSTED."""

    async def answer(_: Any) -> api.Feedback:
        return api.Feedback(text="x" * (2000 if where == "reply" else 1))

    async with serving(answer, max_message=1000) as it:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await it.record(text="x" * (2000 if where == "request" else 1))
        assert caught.value.code() is StatusCode.RESOURCE_EXHAUSTED
