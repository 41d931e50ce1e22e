"""What clients are told of what the server offers, and of what it does not."""

from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from kurrentdbclient import AsyncKurrentDBClient, KurrentDBClient
from kurrentdbclient.exceptions import GrpcError

from tests.contract.eventstore_wire.process import Running

FEATURES = "event_store.client.server_features.ServerFeatures"
STREAMS, GOSSIP = "event_store.client.streams.streams", "event_store.client.gossip.gossip"


async def test_what_is_offered_is_told_and_described(
    running: Running, channel: grpc.aio.Channel
) -> None:
    """By what reflection says of it alone, a client reads which methods are offered."""
    with grpc.insecure_channel(running.target) as plain:
        pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(plain))
        method = pool.FindServiceByName(FEATURES).methods_by_name["GetSupportedMethods"]
        asked = message_factory.GetMessageClass(method.input_type)
        told = message_factory.GetMessageClass(method.output_type)
    call = channel.unary_unary(
        f"/{FEATURES}/GetSupportedMethods", asked.SerializeToString, told.FromString
    )
    answer: Any = await call(asked())
    assert answer.event_store_server_version == "24.10.0"
    assert {(m.service_name, m.method_name, *m.features) for m in answer.methods} == {
        (STREAMS, "read"),
        (STREAMS, "append"),
        (STREAMS, "batchappend", "deadline_duration"),
        (STREAMS, "delete"),
        (STREAMS, "tombstone"),
        (GOSSIP, "read"),
        (FEATURES.lower(), "getsupportedmethods"),
    }


def test_what_is_not_offered_is_told_to_the_client(client: KurrentDBClient) -> None:
    """Persistent subscriptions, projections and multi-appends raise what to use instead."""
    for call, instead in (
        (lambda: client.create_subscription_to_all("group"), "catch-up subscription"),
        (lambda: client.create_subscription_to_stream("group", "a"), "catch-up subscription"),
        (lambda: next(client.read_subscription_to_all("group")), "catch-up subscription"),
        (client.list_subscriptions, "catch-up subscription"),
        (lambda: client.create_projection(name="p", query="fromAll()"), "as the views"),
        (lambda: client.get_projection_statistics(name="p"), "as the views"),
    ):
        with pytest.raises(GrpcError, match=rf"UNIMPLEMENTED[^$]*{instead}"):
            call()


async def test_what_is_not_offered_is_told_to_the_async_client(
    async_client: AsyncKurrentDBClient,
) -> None:
    """The client for asyncio raises what to use instead, too."""
    with pytest.raises(GrpcError, match=r"UNIMPLEMENTED[^$]*catch-up subscription"):
        await async_client.create_subscription_to_all("group")
    with pytest.raises(GrpcError, match=r"UNIMPLEMENTED[^$]*as the views"):
        await async_client.create_projection(name="p", query="fromAll()")


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("event_store.client.users.Users/Create", "EQUILOOP_EVENTSTORE_USER"),
        ("event_store.client.operations.Operations/StartScavenge", "services.eventstore"),
        ("event_store.client.monitoring.Monitoring/Stats", "services.eventstore"),
        ("event_store.cluster.Elections/ViewChange", "node by itself"),
        ("kurrentdb.protocol.v2.streams.StreamsService/AppendSession", "BatchAppend"),
        ("event_store.client.streams.Streams/Fold", "Streams/Fold is not known"),
        ("any.Thing/AtAll", "any.Thing/AtAll is not known"),
    ],
)
async def test_every_other_method_is_unimplemented(
    channel: grpc.aio.Channel, method: str, said: str
) -> None:
    """Whatever else is called, by whichever kind of call, is UNIMPLEMENTED and says so."""

    async def streamed() -> None:
        async for _ in channel.unary_stream(f"/{method}", bytes, bytes)(b""):
            pass

    async def alone() -> None:
        await channel.unary_unary(f"/{method}", bytes, bytes)(b"")

    async def many() -> None:
        await channel.stream_unary(f"/{method}", bytes, bytes)(iter([b"", b""]))

    for call in (alone, many, streamed):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await call()
        assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert said in str(refusal.value.details())
