"""A served store on a disk that is full, fails or is damaged: what clients are told."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from kurrentdbclient import AsyncKurrentDBClient, StreamState
from kurrentdbclient.exceptions import KurrentDBClientError
from kurrentdbclient.protos.v1 import streams_pb2

from libs.eventstore.kurrent import KurrentStore, open_kurrent
from libs.eventstore.port import Expected, StoreCorrupt, StoreUnavailable
from libs.eventstore.sqlite import open_sqlite
from services.eventstore.server import Server
from tests.contract.eventstore.scene import follow, following, held, ids, some, stream_of
from tests.contract.eventstore_disk import disk as troubles
from tests.contract.eventstore_disk.disk import Disk
from tests.contract.eventstore_upkeep.scene import damage
from tests.contract.eventstore_wire import scene as wire

SAID = "no space left on its disk"


@dataclass
class Served:
    """A store behind a server, as our adapter, the official client and a bare channel reach it."""

    path: Path
    adapter: KurrentStore
    client: AsyncKurrentDBClient
    channel: grpc.aio.Channel


@pytest.fixture
async def served(disk: Disk, tmp_path: Path) -> AsyncIterator[Served]:
    """A server in this process, over a log of five events on the disk."""
    path = tmp_path / "log.db"
    store = await open_sqlite(path)
    await store.append("order-1", some(5), Expected.NO_STREAM)
    server = Server(store)
    port = await server.start("127.0.0.1", 0)
    url = f"kurrentdb://127.0.0.1:{port}?Tls=false"
    client = AsyncKurrentDBClient(url)
    await client.connect()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        adapter = await open_kurrent(url)
        yield Served(path, adapter, client, channel)
        await adapter.close()
    await client.close()
    await server.stop(1)
    disk.recover()
    await store.close()


async def test_a_full_disk_is_told_over_the_wire(
    disk: Disk, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """Appends are refused and say why, reads and subscriptions go on, and so do appends later."""
    adapter, events = served.adapter, some(3)
    async with asyncio.timeout(20), following(adapter) as batches:
        assert held([await anext(batches)]) == 5
        disk.room = 0
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match=f"{SAID}.* make room"):
                await adapter.append("order-1", events, 4)
        assert len(await stream_of(adapter, "order-1")) == held(await follow(adapter, 5)) == 5
        disk.recover()
        assert not (await adapter.append("order-1", events, 4)).repeated
        seen: list[object] = []
        while len(seen) < 3:
            seen += ids((await anext(batches)).events)
        assert seen == ids(events)
    said = [record.message.partition(":")[0] for record in caplog.records]
    assert said == ["appends fail", "appends work again"]


async def test_the_official_client_shows_why(disk: Disk, served: Served) -> None:
    """The official client's exception has the status UNAVAILABLE and the server's words."""
    disk.room = 0
    stream, new = wire.fresh(), wire.event()
    with pytest.raises(KurrentDBClientError, match=SAID) as refused:
        await served.client.append_to_stream(stream, events=new, current_version=StreamState.ANY)
    assert refused.value.args[0].code == grpc.StatusCode.UNAVAILABLE.value[0]
    disk.recover()
    await served.client.append_to_stream(stream, events=new, current_version=StreamState.ANY)
    assert len(await served.client.get_stream(stream)) == 1


async def test_a_single_append_ends_with_the_status(disk: Disk, served: Served) -> None:
    """The protocol's Append call ends with UNAVAILABLE and says why."""
    options, proposed = streams_pb2.AppendReq(), streams_pb2.AppendReq()
    options.options.stream_identifier.stream_name = b"order-1"
    options.options.any.SetInParent()
    proposed.proposed_message.id.string = str(some(1)[0].id)
    proposed.proposed_message.metadata["type"] = "Noted"
    call = served.channel.stream_unary(
        "/event_store.client.streams.Streams/Append",
        request_serializer=streams_pb2.AppendReq.SerializeToString,
        response_deserializer=streams_pb2.AppendResp.FromString,
    )
    disk.on_write = troubles.FAILED_WRITE
    with pytest.raises(grpc.aio.AioRpcError, match="see to its disk") as refused:
        await call(iter([options, proposed]))
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    disk.recover()
    assert (await call(iter([options, proposed]))).success.current_revision == 5


async def test_damage_is_told_over_the_wire(served: Served) -> None:
    """Reads and appends that meet damage are StoreCorrupt at the other end: nobody tries again."""
    damage(served.path, "DROP TABLE log")
    with pytest.raises(StoreCorrupt, match=r"restore it.* `.* check` says where"):
        await stream_of(served.adapter, "order-1")
    with pytest.raises(StoreCorrupt, match=r"restore it.* `.* check` says where"):
        await served.adapter.append("order-1", some(1), Expected.ANY)
