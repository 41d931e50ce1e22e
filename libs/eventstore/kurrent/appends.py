"""Appends, all over one BatchAppend call: sent without waiting, answered by correlation id.

The client makes a call for each append, which costs four times as much, and answers the position
alone: not the revision, which after a weak expectation nobody else could tell.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from uuid import UUID, uuid4

import grpc.aio
from kurrentdbclient.protos.v1.streams_pb2 import BatchAppendReq, BatchAppendResp

from libs.eventstore.kurrent import messages
from libs.eventstore.kurrent.connection import Connection
from libs.eventstore.port import Append, Appended, StoreError, StoreUnavailable, TooLarge

METHOD = "/event_store.client.streams.Streams/BatchAppend"

MAX_MESSAGE = 16 << 20
"""Largest append, in bytes of its message: one over the server's limit would end all others."""

IN_FLIGHT = 256
"""Most appends sent and not yet answered: enough for full group commits."""

DEADLINE = 8
"""Seconds that the server is given for an append."""

SILENCE = 10.0
"""Seconds without any answer, while some are due, after which the call is given up."""

Method = grpc.aio.StreamStreamMultiCallable[BatchAppendReq, BatchAppendResp]
Call = grpc.aio.StreamStreamCall[BatchAppendReq, BatchAppendResp]
Answer = asyncio.Future[Appended | StoreError]


@dataclass(slots=True)
class Pending:
    """An append on its way; `known` is the highest position known when it was sent."""

    id: UUID
    part: Append
    request: BatchAppendReq
    answer: Answer
    known: int = 0


class Appends:
    """The one call over which a store's appends go; opened when needed, again after it is lost."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._outbox: deque[Pending] = deque()
        self._sent: dict[UUID, Pending] = {}
        self._news: set[int] = set()
        self._stirred = asyncio.Event()
        self._silence = asyncio.timeout(None)
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self.known = 0
        """Highest position that this process has seen: by it, repeated appends are recognised."""

    def submit(self, part: Append) -> Answer:
        """Send an append, in the order of submission; it is answered when it is done."""
        answer: Answer = asyncio.get_running_loop().create_future()
        correlation = uuid4()
        request = messages.request(part, correlation, DEADLINE)
        if (size := request.ByteSize()) > MAX_MESSAGE:
            bound = f"an append of {size} bytes: at most {MAX_MESSAGE}"
            answer.set_result(TooLarge(f"stream {part.stream!r}: {bound}"))
        elif self._closed:
            answer.set_result(StoreUnavailable("the store was closed"))
        else:
            self._outbox.append(Pending(correlation, part, request, answer))
            self._stirred.set()
            if self._task is None:
                self._task = asyncio.create_task(self._run())
        return answer

    async def close(self) -> None:
        """Wait for what was submitted, end the call, and refuse what comes after."""
        self._closed = True
        if due := [pending.answer for pending in (*self._sent.values(), *self._outbox)]:
            await asyncio.wait(due)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        lost: StoreError = StoreUnavailable("the store was closed")
        try:
            await self._exchange()
        except StoreError as error:
            lost = error
        finally:
            self._task = None
            for pending in (*self._sent.values(), *self._outbox):
                if not pending.answer.done():
                    pending.answer.set_result(type(lost)(*lost.args))
            self._sent.clear()
            self._outbox.clear()

    async def _exchange(self) -> None:
        """Send and receive until the call ends. Raises StoreUnavailable."""
        async with self._connection.calling(), asyncio.timeout(None) as self._silence:
            channel = await self._connection.channel()
            method: Method = channel.stream_stream(
                METHOD, BatchAppendReq.SerializeToString, BatchAppendResp.FromString
            )
            identity = self._connection.identity
            call = method(
                metadata=(*identity["metadata"], ("requires-leader", "true")),
                credentials=identity["credentials"],
            )
            sending = asyncio.create_task(self._send(call))
            try:
                async for answer in call:
                    self._receive(answer)
            finally:
                call.cancel()
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
            raise StoreUnavailable("the server ended the call")

    async def _send(self, call: Call) -> None:
        while True:
            while not self._outbox or len(self._sent) >= IN_FLIGHT:
                self._stirred.clear()
                await self._stirred.wait()
            pending = self._outbox.popleft()
            if pending.answer.done():
                continue
            pending.known = self.known
            self._sent[pending.id] = pending
            if len(self._sent) == 1:
                self._await_answers()
            await call.write(pending.request)

    def _receive(self, answer: BatchAppendResp) -> None:
        pending = self._sent.pop(messages.correlation(answer), None)
        self._stirred.set()
        self._await_answers()
        if pending is None:
            return
        outcome = messages.outcome(pending.part, answer)
        if isinstance(outcome, Appended) and pending.part.events:
            outcome = self._told_apart(outcome, pending)
        if not pending.answer.done():
            pending.answer.set_result(outcome)

    def _await_answers(self) -> None:
        now = asyncio.get_running_loop().time()
        self._silence.reschedule(now + SILENCE if self._sent else None)

    def _told_apart(self, appended: Appended, pending: Pending) -> Appended:
        """Recognise an append that repeats an earlier one, which KurrentDB does not tell.

        What is new stands after all that was known when it was sent, and at a position of its own.
        """
        repeated = appended.position <= pending.known or appended.position in self._news
        self.known = max(self.known, appended.position)
        self._news.add(appended.position)
        if len(self._news) > 16 * IN_FLIGHT:
            oldest = min((sent.known for sent in self._sent.values()), default=self.known)
            self._news = {position for position in self._news if position > oldest}
        return Appended(appended.revision, appended.position, repeated)
