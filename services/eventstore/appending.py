"""Appends: many on one BatchAppend call, or one on an Append call.

The appends of a BatchAppend call run at the same time, so that they share the store's group
commits; each is answered as it ends, under its correlation id.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import grpc.aio
from kurrentdbclient.protos.v1.streams_pb2 import (
    AppendReq,
    AppendResp,
    BatchAppendReq,
    BatchAppendResp,
)

from libs.eventstore.port import Appended, EventStore, Expected, WrongExpectedRevision
from services.eventstore import wire
from services.eventstore.drafts import Draft, Drafts, draft
from services.eventstore.drain import Drain, Draining
from services.eventstore.errors import Context, append_error, told

IN_FLIGHT = 256
"""Most appends of a call that the store works on at once; further ones wait in the transport."""


class Appending:
    """The protocol's BatchAppend and Append, answered from a store."""

    def __init__(self, store: EventStore, drain: Drain) -> None:
        self._store, self._drain = store, drain

    async def batch_append(self, requests: AsyncIterator[BatchAppendReq], context: Context) -> None:
        """Append what comes, answer what is done."""
        slots, writing = asyncio.Semaphore(IN_FLIGHT), asyncio.Lock()

        async def finish(last: BatchAppendReq, whole: Draft) -> None:
            try:
                await tell(last, whole)
            finally:
                slots.release()

        async def tell(last: BatchAppendReq, whole: Draft) -> None:
            answer = BatchAppendResp(correlation_id=last.correlation_id)
            answer.stream_identifier.stream_name = whole.stream.encode()
            try:
                _succeed(answer, await self._append(whole))
            except Exception as error:  # it is one append's own, and the call has others
                answer.error.CopyFrom(append_error(error, whole.stream))
            with suppress(grpc.aio.BaseError):  # the client may have left
                async with writing:
                    await context.write(answer.SerializeToString())

        def late(first: BatchAppendReq, half: Draft) -> None:
            running.create_task(tell(first, half))

        async with told(context), asyncio.TaskGroup() as running:
            with suppress(StopAsyncIteration, Draining), Drafts(late) as drafts:
                while True:
                    request = await self._drain.news(requests)
                    if (whole := drafts.take(request)) is not None:
                        await slots.acquire()
                        running.create_task(finish(request, whole))

    async def append(self, requests: AsyncIterator[AppendReq], context: Context) -> bytes:
        """Append the one append that a call brings: its options first, then its events."""
        answer, whole = AppendResp(), Draft()
        async with told(context):
            whole = await _only(requests)
        async with told(context, whole.stream):
            try:
                _succeed(answer, await self._append(whole))
            except WrongExpectedRevision as error:
                _refuse(answer.wrong_expected_version, error)
        return answer.SerializeToString()

    async def _append(self, whole: Draft) -> Appended:
        if whole.error is not None:
            raise whole.error
        if whole.until <= asyncio.get_running_loop().time():
            raise TimeoutError("the append's deadline has passed")
        async with asyncio.timeout_at(whole.until):
            return await self._store.append(whole.stream, whole.events, whole.expected)


async def _only(requests: AsyncIterator[AppendReq]) -> Draft:
    whole: Draft | None = None
    async for request in requests:
        if request.HasField("options"):
            whole = draft(request.options)
        elif whole is None:
            raise wire.BadRequest("an append begins with its options")
        else:
            whole.add(request.proposed_message)
    if whole is None:
        raise wire.BadRequest("an append needs options")
    return whole


def _succeed(answer: AppendResp | BatchAppendResp, appended: Appended) -> None:
    success = answer.success
    if appended.revision < 0:
        success.no_stream.SetInParent()
        success.no_position.SetInParent()
        return
    success.current_revision = appended.revision
    success.position.commit_position = success.position.prepare_position = appended.position


def _refuse(answer: AppendResp.WrongExpectedVersion, error: WrongExpectedRevision) -> None:
    """Say the conflict in full; fields ending in 20_6_0 are those of clients that old."""
    if error.actual is None:
        answer.current_no_stream.SetInParent()
    else:
        answer.current_revision = error.actual
    match error.expected:
        case int(revision):
            answer.expected_revision = revision
        case Expected.NO_STREAM:
            answer.expected_no_stream.SetInParent()
        case Expected.EXISTS:
            answer.expected_stream_exists.SetInParent()
        case Expected.ANY:
            answer.expected_any.SetInParent()
