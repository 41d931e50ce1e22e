"""What surrounds every method: trace, deadline, waiting for a position, errors, trailing metadata.

Handlers are wrapped once, when they are registered; an interceptor chain would cost every call.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_status import rpc_status

from libs.chassis.call import CURRENT, POSITION, Call
from libs.chassis.errors import Lagging, Overloaded, status
from libs.telemetry import Telemetry

Wait = Callable[[int], Awaitable[None]]
Handler = Callable[[Any, Any], Any]

STREAM_LIFE = 3600.0
"""Longest life of a stream, in seconds; a client that wants more asks again."""

_ANSWER_BEFORE = 0.02
"""Seconds before the client's deadline at which we give up, so that the client hears why."""

_SHARE, _AT_MOST = 0.05, 0.25
"""Of a longer wait we give up this share of it before, up to so many seconds: where all are busy
an answer takes longer."""


class Wrapper:
    """Wraps the methods of a server."""

    def __init__(
        self, telemetry: Telemetry, deadline: float, wait: Wait, max_concurrent: int = 512
    ) -> None:
        """Bound calls to ``deadline`` seconds unless they bring their own; ``wait`` for views."""
        self._telemetry, self._deadline, self._wait = telemetry, deadline, wait
        self._running, self._max_concurrent = 0, max_concurrent
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
            call, until = _begin(context, default)
            with self._telemetry.call(method, call.traceparent) as observed:
                call.traceparent = observed.traceparent
                try:
                    with self._place():
                        if query and call.min_position:
                            await self._reach(call.minimum(), until)
                        async with asyncio.timeout_at(until):
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
            call, until = _begin(context, STREAM_LIFE)
            with self._telemetry.call(method, call.traceparent) as observed:
                call.traceparent = observed.traceparent
                try:
                    with self._place():
                        if query and call.min_position:
                            await self._reach(call.minimum(), min(until, _now() + self._deadline))
                        async for reply in self._bounded(behaviour(request, context), until):
                            yield reply
                    if _now() >= until and context.time_remaining() is not None:
                        raise TimeoutError  # else it has lived its life, and the client asks again
                    return
                except Exception as error:
                    answer = status(error, call.id())
                    observed.status = answer.code
            await context.abort_with_status(rpc_status.to_status(answer))

        return handle

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Take one of the places that there are for calls. Raises Overloaded."""
        if self._running >= self._max_concurrent:
            raise Overloaded
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    async def _reach(self, position: int, until: float) -> None:
        """Wait for the views to have come as far as ``position``. Raises Lagging."""
        try:
            async with asyncio.timeout_at(until):
                await self._wait(position)
        except TimeoutError:
            message = f"the views did not come as far as position {position} in time; ask again"
            raise Lagging(message) from None

    async def _bounded(
        self, replies: AsyncGenerator[Message, None], until: float
    ) -> AsyncIterator[Message]:
        """Hand on ``replies`` until the time is up or the server drains, and end them then.

        The time is looked at only while we wait for a reply: a timeout around a ``yield`` would
        strike whoever handles what was yielded.
        """
        drained = asyncio.ensure_future(self.draining.wait())
        following = asyncio.ensure_future(anext(replies))
        try:
            while not drained.done() and (left := until - _now()) > 0:
                await asyncio.wait(
                    {drained, following}, timeout=left, return_when=asyncio.FIRST_COMPLETED
                )
                if not following.done():
                    return
                try:
                    reply = following.result()
                except StopAsyncIteration:
                    return
                yield reply
                following = asyncio.ensure_future(anext(replies))
        finally:
            drained.cancel()
            following.cancel()
            await asyncio.wait({following})
            await replies.aclose()


def _begin(context: Any, default: float) -> tuple[Call, float]:
    """Answer the call that begins, and the instant (loop time) at which it must have ended."""
    call = Call.of(context)
    CURRENT.set(call)
    left: float | None = context.time_remaining()
    if left is None:
        return call, _now() + default
    return call, _now() + max(left - max(_ANSWER_BEFORE, min(_SHARE * left, _AT_MOST)), 0.0)


def _now() -> float:
    return asyncio.get_running_loop().time()
