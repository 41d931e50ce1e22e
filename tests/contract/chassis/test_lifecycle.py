"""From start to drain: health, reflection, and an end that loses nothing."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from equiloop.feedback.v1 import service_pb2 as api
from equiloop.metrics.v1.service_pb2 import WatchCustomerEquityResponse
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from libs.chassis.server import CONTRACT, Server
from libs.chassis.settings import Settings
from libs.contract.options import UnguardedMethod
from tests.contract.chassis.serving import Running, serving
from tests.specs.contract.test_roles import planted

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
FEEDBACK = "equiloop.feedback.v1.FeedbackService"


def checker(it: Running) -> Any:
    return health_pb2_grpc.HealthStub(it.channel)


async def health(it: Running, service: str = "") -> int:
    answer = await checker(it).Check(health_pb2.HealthCheckRequest(service=service))
    return int(answer.status)


@pytest.mark.parametrize("service", ["", FEEDBACK, "equiloop.metrics.v1.MetricsService"])
async def test_health_follows_readiness(service: str) -> None:
    """Each service is NOT_SERVING until told otherwise, and again when its views stand still."""
    async with serving() as it:
        assert await health(it, service) == NOT_SERVING
        await it.server.report(ready=True)
        assert await health(it, service) == SERVING
        await it.server.report(ready=False)
        assert await health(it, service) == NOT_SERVING


async def test_health_is_known_of_our_own_services_only() -> None:
    """A service that is not served here has no health here."""
    async with serving() as it:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health(it, "equiloop.offers.v1.OfferService")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_reflection_shows_the_whole_contract() -> None:
    """An ordinary client finds all services, with their files, on any server."""
    async with serving() as it:
        channel: Any = it.channel  # the stubs know the synchronous kind only
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)

        async def questions() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
            yield reflection_pb2.ServerReflectionRequest(list_services="")
            for name in CONTRACT:
                yield reflection_pb2.ServerReflectionRequest(file_containing_symbol=name)

        listed, *files = [answer async for answer in stub.ServerReflectionInfo(questions())]
    names = {service.name for service in listed.list_services_response.service}
    assert set(CONTRACT) < names
    assert len(files) == len(CONTRACT)
    assert all(answer.file_descriptor_response.file_descriptor_proto for answer in files)


async def test_a_drain_ends_streams_and_lets_calls_end() -> None:
    """While draining a running call is answered, a stream ends cleanly, a new call is refused."""
    running, release = asyncio.Event(), asyncio.Event()

    async def slow(_: Any) -> api.Feedback:
        running.set()
        await release.wait()
        return api.Feedback(text="still answered")

    async def watch(_: Any) -> AsyncIterator[WatchCustomerEquityResponse]:
        yield WatchCustomerEquityResponse()
        await asyncio.Event().wait()

    async with serving(slow, watch, drain=10) as it, asyncio.timeout(10):
        answer, stream = it.record(), it.watch()
        await stream.read()
        await running.wait()
        draining = asyncio.create_task(it.server.drain())
        assert await stream.read() is grpc.aio.EOF
        assert await stream.code() is grpc.StatusCode.OK
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await it.get(wait_for_ready=False)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert not draining.done()
        release.set()
        assert (await answer).text == "still answered"
        await draining
        await it.server.wait()


async def test_health_says_that_a_server_drains() -> None:
    """Who watches health is told NOT_SERVING when the drain begins, before the server is gone."""
    release = asyncio.Event()

    async def slow(_: Any) -> api.Feedback:
        await release.wait()
        return api.Feedback()

    async with serving(slow, drain=10) as it, asyncio.timeout(10):
        await it.server.report(ready=True)
        watch = checker(it).Watch(health_pb2.HealthCheckRequest())
        answer = it.record()
        assert (await watch.read()).status == SERVING
        draining = asyncio.create_task(it.server.drain())
        assert (await watch.read()).status == NOT_SERVING
        watch.cancel()
        release.set()
        await answer
        await draining


async def test_a_drain_does_not_wait_for_ever() -> None:
    """A call that does not end within the time for draining is ended."""
    begun = asyncio.Event()

    async def endless(_: Any) -> api.Feedback:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(endless, drain=0.05) as it, asyncio.timeout(10):
        answer = it.record()
        await begun.wait()
        await it.server.drain()
        with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
            await answer


async def test_a_taken_port_is_told_in_one_line() -> None:
    """A second server on a port is refused with the address."""
    async with serving() as it, serving() as other:
        address = it.address
        with pytest.raises(OSError, match=f"cannot listen on {address}"):
            await other.server.start(address)


async def test_a_method_without_roles_keeps_the_server_down() -> None:
    """A service with a method that names no roles is refused when it is registered."""
    name = planted()

    def register(server: Any) -> None:
        server.add_registered_method_handlers(name, {"Do": None})

    with pytest.raises(UnguardedMethod, match=name):
        Server(Settings(), None, [register])  # type: ignore[arg-type]
