"""What surrounds every method: trace, deadline, waiting for a position, errors, trailing metadata.

Handlers are wrapped once, when they are registered; an interceptor chain would cost every call.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_status import rpc_status

from libs.chassis.call import CURRENT, POSITION, Call
from libs.chassis.errors import status
from libs.telemetry import Telemetry

Wait = Callable[[int], Awaitable[None]]
Handler = Callable[[Any, Any], Any]

STREAM_LIFE = 3600.0
"""Longest life of a stream, in seconds; a client that wants more asks again."""

_ANSWER_BEFORE = 0.02
"""Seconds before the client's deadline at which we give up, so that the client hears why."""


class Draining(Exception):
    """The server is being stopped; the same call may be made again, elsewhere."""


class Wrapper:
    """Wraps the methods of a server."""

    def __init__(self, telemetry: Telemetry, deadline: float, wait: Wait) -> None:
        """Bound calls to ``deadline`` seconds unless they bring their own; ``wait`` for views."""
        self._telemetry, self._deadline, self._wait = telemetry, deadline, wait
        self.draining = asyncio.Event()

    def wrap(self, method: str, handler: Any, *, query: bool) -> Any:
        """Answer ``handler`` (a grpc.RpcMethodHandler) with all that surrounds a method."""
        codec = (handler.request_deserializer, handler.response_serializer)
        if handler.response_streaming:
            behaviour = self._streaming(method, handler.unary_stream, query=query)
            return grpc.unary_stream_rpc_method_handler(behaviour, *codec)
        if handler.request_streaming:
            behaviour = self._single(method, handler.stream_unary, STREAM_LIFE, query=query)
            return grpc.stream_unary_rpc_method_handler(behaviour, *codec)
        behaviour = self._single(method, handler.unary_unary, self._deadline, query=query)
        return grpc.unary_unary_rpc_method_handler(behaviour, *codec)

    def _single(self, method: str, behaviour: Handler, default: float, *, query: bool) -> Handler:
        async def handle(request: Any, context: Any) -> Message:
            call = Call.of(context)
            CURRENT.set(call)
            with self._telemetry.call(method, call.traceparent) as observed:
                call.traceparent = observed.traceparent
                try:
                    async with asyncio.timeout(_remaining(context, default)):
                        if query and call.min_position:
                            await self._wait(call.minimum())
                        reply: Message = await behaviour(request, context)
                except Exception as error:
                    answer = status(error, call.id())
                    observed.status = answer.code
                else:
                    if call.position:
                        context.set_trailing_metadata(((POSITION, str(call.position)),))
                    return reply
            await context.abort_with_status(rpc_status.to_status(answer))
            raise AssertionError  # abort_with_status has raised

        return handle

    def _streaming(self, method: str, behaviour: Handler, *, query: bool) -> Handler:
        async def handle(request: Any, context: Any) -> AsyncIterator[Message]:
            call = Call.of(context)
            CURRENT.set(call)
            with self._telemetry.call(method, call.traceparent) as observed:
                try:
                    async with asyncio.timeout(_remaining(context, STREAM_LIFE)):
                        if query and call.min_position:
                            await self._wait(call.minimum())
                        async for reply in self._until_drained(behaviour(request, context)):
                            yield reply
                    return
                except TimeoutError as error:
                    if context.time_remaining() is None:
                        return  # the stream has lived its life; the client asks again
                    answer = status(error, call.id())
                except Draining:
                    return
                except Exception as error:
                    answer = status(error, call.id())
                observed.status = answer.code
            await context.abort_with_status(rpc_status.to_status(answer))

        return handle

    async def _until_drained(self, replies: AsyncIterator[Message]) -> AsyncIterator[Message]:
        drained = asyncio.ensure_future(self.draining.wait())
        try:
            while True:
                following = asyncio.ensure_future(anext(replies))
                try:
                    await asyncio.wait({drained, following}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    if not following.done():
                        following.cancel()
                if drained.done():
                    raise Draining
                try:
                    yield following.result()
                except StopAsyncIteration:
                    return
        finally:
            drained.cancel()


def _remaining(context: Any, default: float) -> float:
    left: float | None = context.time_remaining()
    return default if left is None else max(left - _ANSWER_BEFORE, 0.0)
