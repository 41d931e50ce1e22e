"""The server process: how it is found, how it stops, and what it says when it cannot start."""

import asyncio
import signal
import subprocess
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from kurrentdbclient import AsyncKurrentDBClient, KurrentDBClient, StreamState
from kurrentdbclient.exceptions import FollowerNotFoundError, ServiceUnavailableError

from tests.contract.eventstore_wire.faces import face
from tests.contract.eventstore_wire.process import Running, command, server
from tests.contract.eventstore_wire.scene import event, events, fresh

SERVICE = "event_store.client.streams.Streams"


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("scheme", ["kurrentdb+discover", "esdb+discover", "kurrentdb", "esdb"])
async def test_clients_discover_the_node(running: Running, scheme: str, kind: str) -> None:
    """Discovery leads to the one node, and so does a list of targets in which others are dead."""
    targets = running.target if "discover" in scheme else f"127.0.0.1:1,{running.target}"
    for preference in ("leader", "random"):
        url = f"{scheme}://{targets}?Tls=false&NodePreference={preference}"
        async with face(kind, url) as client:
            stream = fresh()
            await client.do(
                "append_to_stream", stream, events=event(), current_version=StreamState.NO_STREAM
            )
            assert len(await client.read("get_stream", stream)) == 1


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_clients_that_want_a_follower_are_told(running: Running, kind: str) -> None:
    """Who prefers a follower, of which there is none, gets the client's error and does not hang."""
    url = f"kurrentdb+discover://{running.target}?Tls=false&NodePreference=follower"
    async with asyncio.timeout(10):
        with pytest.raises(FollowerNotFoundError):
            async with face(kind, url):
                pass


def test_health_and_reflection_are_served(running: Running) -> None:
    """The server answers health checks, and says which services it has."""
    with grpc.insecure_channel(running.target) as channel:
        for name in ("", SERVICE):
            check = health_pb2.HealthCheckRequest(service=name)
            answer = health_pb2_grpc.HealthStub(channel).Check(check)  # type: ignore[attr-defined]
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        services = ProtoReflectionDescriptorDatabase(channel).get_services()
    assert {SERVICE, "event_store.client.gossip.Gossip", "grpc.health.v1.Health"} <= set(services)


async def test_asked_to_stop_it_ends_subscriptions_and_keeps_all(tmp_path: Path) -> None:
    """SIGTERM ends subscriptions with "unavailable", and all that was answered is kept."""
    with server(tmp_path) as running:
        client, stream = AsyncKurrentDBClient(running.url), fresh()
        await client.connect()
        await client.append_to_stream(stream, events=events(3), current_version=StreamState.ANY)
        idle = [await client.subscribe_to_all(from_end=True) for _ in range(3)]
        assert await asyncio.to_thread(running.stop) == 0
        for subscription in idle:
            with pytest.raises(ServiceUnavailableError, match="shutting down"):
                await asyncio.wait_for(anext(subscription), 5)
        assert running.complaints() == ""
        await client.close()
    with server(tmp_path) as again, KurrentDBClient(again.url) as reader:
        assert len(reader.get_stream(stream)) == 3


def test_interrupt_stops_it_too(tmp_path: Path) -> None:
    """Ctrl-C ends it as SIGTERM does: without a traceback."""
    with server(tmp_path) as running:
        assert running.stop(signal.SIGINT) == 0
        assert running.complaints() == ""


async def test_draining_server_says_so(tmp_path: Path) -> None:
    """A health watch sees NOT_SERVING before the server is gone."""
    with server(tmp_path, EQUILOOP_DRAIN="1") as running:
        async with grpc.aio.insecure_channel(running.target) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(  # type: ignore[attr-defined]
                health_pb2.HealthCheckRequest(service=SERVICE)
            )
            first = await watch.read()
            stopping = asyncio.create_task(asyncio.to_thread(running.stop))
            second = await watch.read()
            assert await stopping == 0
    kind = health_pb2.HealthCheckResponse
    assert [answer.status for answer in (first, second)] == [kind.SERVING, kind.NOT_SERVING]


def ended(arguments: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """A server that could not start."""
    return subprocess.run(
        arguments, env=environment, capture_output=True, text=True, timeout=20, check=False
    )


def test_port_in_use_is_told_in_one_line(running: Running, tmp_path: Path) -> None:
    """A second server on the port exits with a line that names it."""
    arguments, environment = command(tmp_path, running.port)
    second = ended(arguments, environment)
    assert second.returncode == 1
    (line,) = second.stderr.splitlines()
    assert f"cannot listen on {running.target}: Address already in use" in line


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:////no/such/directory/log.db", "/no/such/directory/log.db"),
        ("sqlite:///{}/garbage.db", "garbage.db"),
        ("postgres://elsewhere", "postgres://elsewhere"),
    ],
)
def test_unusable_store_is_told_in_one_line(tmp_path: Path, url: str, said: str) -> None:
    """A store that cannot be opened makes the server exit with a line that names it."""
    (tmp_path / "garbage.db").write_bytes(b"not a database, " * 1000)
    arguments, environment = command(tmp_path, 0, EQUILOOP_EVENTSTORE_URL=url.format(tmp_path))
    failed = ended(arguments, environment)
    assert failed.returncode == 1
    (line,) = failed.stderr.splitlines()
    assert said in line
