"""The gRPC edge: KurrentDB's Streams and Gossip services in front of any event store.

Requests are parsed by gRPC; answers are written as bytes, serialised where they are made.
Of every service the handlers are answered, by the names of its methods.
"""

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import grpc
from kurrentdbclient.protos.v1 import gossip_pb2, shared_pb2
from kurrentdbclient.protos.v1.streams_pb2 import (
    AppendReq,
    BatchAppendReq,
    DeleteReq,
    DeleteResp,
    ReadReq,
    TombstoneReq,
    TombstoneResp,
)

from libs.eventstore.port import EventStore, ExpectedState, StreamNotFound, WrongExpectedRevision
from services.eventstore import wire
from services.eventstore.appending import Appending
from services.eventstore.drain import Drain
from services.eventstore.errors import Context, told
from services.eventstore.reading import Reading

if TYPE_CHECKING:  # generic only there
    Handlers = dict[str, grpc.RpcMethodHandler[Any, Any]]

STREAMS = "event_store.client.streams.Streams"
GOSSIP = "event_store.client.gossip.Gossip"


def streams(store: EventStore, drain: Drain) -> "Handlers":
    """Serve Streams in front of `store`."""
    reading, appending, ending = Reading(store, drain), Appending(store, drain), Ending(store)
    return {
        "Read": grpc.unary_stream_rpc_method_handler(reading.read, ReadReq.FromString),
        "BatchAppend": grpc.stream_stream_rpc_method_handler(
            appending.batch_append, BatchAppendReq.FromString
        ),
        "Append": grpc.stream_unary_rpc_method_handler(appending.append, AppendReq.FromString),
        "Delete": grpc.unary_unary_rpc_method_handler(ending.delete, DeleteReq.FromString),
        "Tombstone": grpc.unary_unary_rpc_method_handler(ending.tombstone, TombstoneReq.FromString),
    }


def gossip(host: str, port: int) -> "Handlers":
    """Serve Gossip of a cluster of one, its own leader, reached at `host`:`port`."""
    instance = str(uuid4())

    async def read(_: shared_pb2.Empty, __: Context) -> bytes:
        member = gossip_pb2.MemberInfo(
            instance_id=shared_pb2.UUID(string=instance),
            time_stamp=int(time.time() * 1e7),
            state=gossip_pb2.MemberInfo.Leader,
            is_alive=True,
            http_end_point=gossip_pb2.EndPoint(address=host, port=port),
        )
        return gossip_pb2.ClusterInfo(members=[member]).SerializeToString()

    return {"Read": grpc.unary_unary_rpc_method_handler(read, shared_pb2.Empty.FromString)}


class Ending:
    """The protocol's Delete (soft) and Tombstone (for ever), answered from a store."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def delete(self, request: DeleteReq, context: Context) -> bytes:
        """Hide a stream's events."""
        await self._end(self._store.delete, request.options, context)
        answer = DeleteResp()
        answer.no_position.SetInParent()
        return answer.SerializeToString()

    async def tombstone(self, request: TombstoneReq, context: Context) -> bytes:
        """End a stream for ever."""
        await self._end(self._store.tombstone, request.options, context)
        answer = TombstoneResp()
        answer.no_position.SetInParent()
        return answer.SerializeToString()

    async def _end(
        self,
        end: Callable[[str, ExpectedState], Awaitable[None]],
        options: DeleteReq.Options | TombstoneReq.Options,
        context: Context,
    ) -> None:
        async with told(context, wire.shown_name(options.stream_identifier)):
            name, expected = (
                wire.stream_name(options.stream_identifier),
                wire.expected_state(options),
            )
            try:
                await end(name, expected)
            except StreamNotFound:
                # KurrentDB has no other words for "there is none" here.
                raise WrongExpectedRevision(name, expected, None) from None
