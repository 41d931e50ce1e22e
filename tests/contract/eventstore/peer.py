"""Another process that makes a store's calls, so that a file is shared between two.

Run as ``python -m tests.contract.eventstore.peer SOCKET``; every connection opens a store of its
own. Calls and answers are pickles with their length in front.
"""

import asyncio
import pickle
import sys
from collections.abc import AsyncIterator, Sequence
from itertools import cycle
from typing import Any

from libs.eventstore.connect import connect
from libs.eventstore.port import (
    Append,
    Appended,
    Batch,
    EventStore,
    ExpectedState,
    NewEvent,
    StoreError,
    StreamMetadata,
)


async def receive(reader: asyncio.StreamReader) -> Any:
    """The next message; None at the end."""
    try:
        size = int.from_bytes(await reader.readexactly(4), "big")
        return pickle.loads(await reader.readexactly(size))
    except asyncio.IncompleteReadError:
        return None


def send(writer: asyncio.StreamWriter, message: object) -> None:
    """Send a message."""
    body = pickle.dumps(message)
    writer.write(len(body).to_bytes(4, "big") + body)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Open the store that the first message names, and make the calls that follow, all at once."""
    store = await connect(await receive(reader))

    async def answer(number: int, method: str, arguments: Sequence[Any]) -> None:
        try:
            send(writer, (number, await getattr(store, method)(*arguments)))
        except Exception as error:
            send(writer, (number, error))

    calls = set()
    while message := await receive(reader):
        call = asyncio.create_task(answer(*message))
        calls.add(call)
        call.add_done_callback(calls.discard)
    await store.close()
    writer.close()


class Peer:
    """Calls a store in the other process."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._calls: list[asyncio.Future[Any]] = []
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def reach(cls, socket: str, url: str) -> "Peer":
        """Have the process at ``socket`` open the store at ``url``."""
        peer = cls(*await asyncio.open_unix_connection(socket))
        send(peer._writer, url)
        return peer

    async def call(self, method: str, *arguments: Any) -> Any:
        """Call a method there; the answer, or what it raised."""
        answer = asyncio.get_running_loop().create_future()
        self._calls.append(answer)
        send(self._writer, (len(self._calls) - 1, method, arguments))
        result = await answer
        if isinstance(result, Exception):
            raise result
        return result

    async def close(self) -> None:
        """Have the store there closed."""
        self._writer.write_eof()
        await self._listening
        self._writer.close()

    async def _listen(self) -> None:
        while message := await receive(self._reader):
            number, result = message
            if not self._calls[number].done():
                self._calls[number].set_result(result)


class TwoProcesses:
    """A store whose calls are made here and in another process in turn; reads are made here."""

    def __init__(self, here: EventStore, there: Peer) -> None:
        self._here, self._there = here, there
        self._turns = cycle((True, False))

    async def _call(self, method: str, *arguments: Any) -> Any:
        if next(self._turns):
            return await self._there.call(method, *arguments)
        return await getattr(self._here, method)(*arguments)

    async def append(
        self, stream: str, events: Sequence[NewEvent], expected: ExpectedState
    ) -> Appended:
        answer: Appended = await self._call("append", stream, events, expected)
        return answer

    async def append_batch(self, appends: Sequence[Append]) -> list[Appended | StoreError]:
        answers: list[Appended | StoreError] = await self._call("append_batch", appends)
        return answers

    def read_stream(self, stream: str, **how: Any) -> AsyncIterator[Batch]:
        return self._here.read_stream(stream, **how)

    def read_all(self, **how: Any) -> AsyncIterator[Batch]:
        return self._here.read_all(**how)

    def subscribe(self, **how: Any) -> AsyncIterator[Batch]:
        return self._here.subscribe(**how)

    async def head(self) -> int:
        head: int = await self._call("head")
        return head

    async def delete(self, stream: str, expected: ExpectedState) -> None:
        await self._call("delete", stream, expected)

    async def tombstone(self, stream: str, expected: ExpectedState) -> None:
        await self._call("tombstone", stream, expected)

    async def get_stream_metadata(self, stream: str) -> StreamMetadata:
        metadata: StreamMetadata = await self._call("get_stream_metadata", stream)
        return metadata

    async def set_stream_metadata(self, stream: str, metadata: StreamMetadata) -> None:
        await self._call("set_stream_metadata", stream, metadata)

    async def close(self) -> None:
        await self._there.close()
        await self._here.close()


async def main(socket: str) -> None:
    """Serve until ended."""
    server = await asyncio.start_unix_server(serve, socket)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
