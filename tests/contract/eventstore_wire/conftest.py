"""One server for all tests that only talk to it, and clients of both kinds."""

from collections.abc import AsyncIterator, Iterator

import grpc
import pytest
from kurrentdbclient import AsyncKurrentDBClient, KurrentDBClient

from tests.contract.eventstore_wire.faces import Face, face
from tests.contract.eventstore_wire.process import Running, server


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The server process; none of the tests that share it may make it complain."""
    with server(tmp_path_factory.mktemp("wire")) as process:
        yield process
        assert process.stop() == 0
        assert process.complaints() == ""


@pytest.fixture(scope="session")
def client(running: Running) -> Iterator[KurrentDBClient]:
    """The official client as most people use it."""
    client = KurrentDBClient(running.url)
    yield client
    client.close()


@pytest.fixture
async def async_client(running: Running) -> AsyncIterator[AsyncKurrentDBClient]:
    """The official client for asyncio."""
    client = AsyncKurrentDBClient(running.url)
    await client.connect()
    yield client
    await client.close()


@pytest.fixture(params=["sync", "async"])
async def either(request: pytest.FixtureRequest, running: Running) -> AsyncIterator[Face]:
    """The official client of either kind: the same test for both."""
    async with face(request.param, running.url) as client:
        yield client


@pytest.fixture
async def channel(running: Running) -> AsyncIterator[grpc.aio.Channel]:
    """A bare channel, for what the official client never sends."""
    async with grpc.aio.insecure_channel(running.target) as channel:
        yield channel
