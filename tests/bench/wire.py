"""Appends and reads over the wire, against bare gRPC calls and a bare stream of the same messages.

Ours goes through the adapter and the official client to `services.eventstore`, a process of its
own; the limit goes to `tests.bench.bare`, another one.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from statistics import median
from uuid import uuid4

import grpc
import grpc.aio
from google.protobuf.wrappers_pb2 import UInt32Value
from kurrentdbclient.protos.v1.streams_pb2 import BatchAppendReq, BatchAppendResp, ReadResp

from libs.eventstore.connect import connect
from libs.eventstore.kurrent.messages import request
from libs.eventstore.port import Append, Expected
from tests.bench.appends import LIFE, append_all, lives
from tests.bench.bare import SERVICE
from tests.bench.reads import read_all
from tests.bench.report import Row

AT_ONCE = 64
GOAL = 0.6


class Bare:
    """Calls to the bare server, without a layer between."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._call: grpc.aio.UnaryUnaryMultiCallable[BatchAppendReq, BatchAppendResp]
        self._call = channel.unary_unary(
            f"/{SERVICE}/Call", BatchAppendReq.SerializeToString, BatchAppendResp.FromString
        )
        self._stream: grpc.aio.UnaryStreamMultiCallable[UInt32Value, ReadResp]
        self._stream = channel.unary_stream(
            f"/{SERVICE}/Stream", UInt32Value.SerializeToString, ReadResp.FromString
        )

    async def call_all(self, streams: int) -> float:
        """Make a call for each event of new streams; answer calls per second."""
        messages = iter(
            [
                request(Append(name, [event], Expected.NO_STREAM), uuid4(), 10)
                for name, events in lives(streams)
                for event in events
            ]
        )

        async def worker() -> None:
            for message in messages:
                await self._call(message)

        started = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
        return streams * LIFE / (time.perf_counter() - started)

    async def stream_all(self, events: int) -> float:
        """Take a stream of `events`; answer events per second."""
        started = time.perf_counter()
        count = sum([1 async for _ in self._stream(UInt32Value(value=events))])
        return count / (time.perf_counter() - started)


@asynccontextmanager
async def bare() -> AsyncIterator[Bare]:
    """Run the bare server, and lend calls to it."""
    with _process("tests.bench.bare") as server:
        assert server.stdout
        address = f"127.0.0.1:{int(server.stdout.readline())}"
        async with grpc.aio.insecure_channel(address) as channel:
            yield Bare(channel)


@contextmanager
def _process(module: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", module]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.terminate()


def measure(url: str, streams: int = 500, events: int = 10_000, rounds: int = 7) -> list[Row]:
    """Append to and read from the server at `url`, and the bare one, turn by turn."""

    async def run() -> dict[str, list[float]]:
        rates: dict[str, list[float]] = {}
        store = await connect(url)
        async with bare() as limit:
            for _ in range(rounds):
                for name, rate in (
                    ("append", append_all(store, lives(streams), AT_ONCE)),
                    ("call", limit.call_all(streams)),
                    ("read", read_all(store, events)),
                    ("stream", limit.stream_all(events)),
                ):
                    rates.setdefault(name, []).append(await rate)
        await store.close()
        return rates

    rates = {name: median(found) for name, found in asyncio.run(run()).items()}
    return [
        Row(
            f"durable appends over the wire, {AT_ONCE} at once",
            f"{rates['append']:,.0f}/s",
            f"bare grpc.aio calls, same messages: {rates['call']:,.0f}/s",
            rates["append"] / rates["call"],
            GOAL,
        ),
        Row(
            "log read in order over the wire",
            f"{rates['read']:,.0f} events/s",
            f"bare grpc.aio stream, same messages: {rates['stream']:,.0f}/s",
            rates["read"] / rates["stream"],
            GOAL,
        ),
    ]
