"""The limit over the wire: a bare grpc.aio server whose messages are those of the store's server.

`python -m tests.bench.bare` prints its port. What comes is parsed, what goes is serialised, as in
any service; nothing is done between.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import grpc
from google.protobuf.wrappers_pb2 import UInt32Value
from kurrentdbclient.protos.v1.streams_pb2 import BatchAppendReq, BatchAppendResp, ReadResp

from libs.eventstore.port import RecordedEvent
from services.eventstore import wire
from tests.bench.appends import DATA, METADATA

SERVICE = "bare.Bare"

Context = grpc.aio.ServicerContext[BatchAppendReq, BatchAppendResp]
Stream = grpc.aio.ServicerContext[UInt32Value, ReadResp]


async def call(request: BatchAppendReq, _: Context) -> BatchAppendResp:
    """Answer an append as if it had been done."""
    answer = BatchAppendResp(correlation_id=request.correlation_id)
    answer.stream_identifier.stream_name = request.options.stream_identifier.stream_name
    answer.success.current_revision = len(request.proposed_messages)
    answer.success.position.commit_position = answer.success.position.prepare_position = 1 << 20
    return answer


async def stream(request: UInt32Value, context: Stream) -> None:
    """Answer as many events as are asked for, all alike."""
    now = datetime.now(UTC)
    event = RecordedEvent(uuid4(), "Noted", DATA, METADATA, f"feedback-{uuid4()}", 3, 1 << 20, now)
    answer = ReadResp.FromString(wire.event_read(event))
    for _ in range(request.value):
        await context.write(answer)


async def main() -> None:
    """Answer until killed."""
    server = grpc.aio.server()
    methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "Call": grpc.unary_unary_rpc_method_handler(
            call, BatchAppendReq.FromString, BatchAppendResp.SerializeToString
        ),
        "Stream": grpc.unary_stream_rpc_method_handler(
            stream, UInt32Value.FromString, ReadResp.SerializeToString
        ),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
