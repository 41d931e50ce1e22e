"""A network between two processes that can be cut: a TCP proxy that misbehaves on demand."""

import asyncio
import socket
import struct
from typing import Literal

Cut = Literal["drop", "stall", "reset", "half-open"]

CUTS: tuple[Cut, ...] = ("drop", "stall", "reset", "half-open")
"""Bytes vanish; they arrive late; connections are reset; answers vanish, questions arrive.

What was connected during a drop or a half-open cut stays so when the network heals, as after a
router that lost its state: neither end is told.
"""

CHUNK = 1 << 16


class Link:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client, self.server = client, server
        self.forward = self.backward = True
        """Whether bytes still pass, to the server and to the client."""

    def reset(self) -> None:
        """Tell both ends that the connection is lost."""
        for writer in (self.client, self.server):
            raw: socket.socket = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Proxy:
    """Listens on a port of its own and passes on to ``port``, unless it is cut."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cut: Cut | None = None
        self._flows = asyncio.Event()
        self._flows.set()
        self.port = 0

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for link in self._links:
            link.reset()

    def cut(self, how: Cut) -> None:
        """Cut the network, for connections that there are and those to come."""
        self._cut = how
        if how == "stall":
            self._flows.clear()
        for link in tuple(self._links):
            self._damage(link)

    def heal(self) -> None:
        """Let new connections pass, and what was only held up."""
        self._cut = None
        self._flows.set()

    def _damage(self, link: Link) -> None:
        match self._cut:
            case "drop":
                link.forward = link.backward = False
            case "half-open":
                link.backward = False
            case "reset":
                link.reset()

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        server_reader, server = await asyncio.open_connection("127.0.0.1", self._target)
        link = Link(client, server)
        self._links.add(link)
        self._damage(link)
        pumps = {
            asyncio.create_task(self._pump(link, reader, server, "forward")),
            asyncio.create_task(self._pump(link, server_reader, client, "backward")),
        }
        self._tasks |= pumps
        await asyncio.wait(pumps)
        self._tasks -= pumps
        self._links.discard(link)
        for writer in (client, server):
            writer.close()

    async def _pump(
        self, link: Link, source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: str
    ) -> None:
        """Pass bytes on, one way; an end that closes is told to the other, unless it is cut off."""
        try:
            while data := await source.read(CHUNK):
                await self._flows.wait()
                if getattr(link, way):
                    sink.write(data)
                    await sink.drain()
            if getattr(link, way):
                sink.close()
        except OSError:
            sink.close()
