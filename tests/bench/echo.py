"""The limit for commands: a bare grpc.aio server that answers RecordFeedback with a constant."""

import asyncio
import sys
from typing import Any

import grpc
from equiloop.feedback.v1 import service_pb2 as api


async def main(address: str) -> None:
    """Answer at ``address`` until killed; the reply is of the size of a real one."""
    server = grpc.aio.server()

    async def echo(request: api.RecordFeedbackRequest, _: Any) -> api.Feedback:
        return api.Feedback(
            name="feedback/b75234d5-2199-59ba-9597-ecaa412b4f50",
            channel=request.channel,
            text=request.text,
            receive_time=request.receive_time,
            create_time=request.receive_time,
            update_time=request.receive_time,
            etag="0",
        )

    method = grpc.unary_unary_rpc_method_handler(
        echo, api.RecordFeedbackRequest.FromString, api.Feedback.SerializeToString
    )
    name = "equiloop.feedback.v1.FeedbackService"
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(name, {"RecordFeedback": method}),)
    )
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
