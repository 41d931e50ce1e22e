"""Network cuts between a service and the store's server, while clients send commands."""

import asyncio
import socket
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import grpc
import grpc.aio
from equiloop.feedback.v1.events_pb2 import CHANNEL_EMAIL, FeedbackReceived
from equiloop.feedback.v1.service_pb2_grpc import FeedbackServiceStub
from grpc_health.v1 import health_pb2, health_pb2_grpc

from libs.contract.events import CODEC
from libs.decider import Request
from libs.eventstore.connect import connect
from libs.eventstore.port import EventStore, Expected, Filter
from tests.verify.client import GIVING_UP, PAUSE, SERVICE_DEADLINE, Client
from tests.verify.findings import Finding, Found
from tests.verify.proxy import Cut, Proxy
from tests.verify.served import process, store_server

FEEDBACK = FeedbackReceived.DESCRIPTOR.full_name

AT_ONCE = 8
"""Clients that send commands."""

BETWEEN = 20
"""Commands that must be done between two cuts."""

PATIENCE = 60.0
"""Seconds in which the system must have recovered by itself."""


@dataclass
class Outcome(Found):
    """What happened, and what was found."""

    cuts: Counter[str] = field(default_factory=Counter)
    commands: int = 0
    repeated: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    elsewhere: int = 0
    """Events appended by others during the cuts, whom these did not touch."""


async def cut_network(
    folder: Path,
    cuts: Sequence[Cut],
    seed: int,
    *,
    fault: str = "",
    forgetful: bool = False,
    patience: float = PATIENCE,
    progress: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Cut the network in each of these ways; plant a fault in the service or in its clients."""
    outcome, chance = Outcome(), Random(seed)
    with store_server(folder) as port:
        direct = await connect(f"kurrentdb://127.0.0.1:{port}?tls=false")
        async with Proxy(port) as proxy, feedback(folder, proxy.port, fault) as channel:
            client = Client(FeedbackServiceStub(channel), forgetful)
            enough = asyncio.Event()
            clients = [asyncio.create_task(client.work(n, enough)) for n in range(AT_ONCE)]
            others: dict[str, int] = {}
            try:
                for cut in cuts:
                    await _progress(client, clients, patience)
                    await _endure(proxy, cut, direct, others, chance)
                    outcome.cuts[cut] += 1
                    progress(outcome.cuts.total())
                await _progress(client, clients, patience)
                enough.set()
                async with asyncio.timeout(patience):
                    await asyncio.gather(*clients)
            except TimeoutError:
                client.findings.append(Finding("stuck", f"after {dict(outcome.cuts)}"))
            enough.set()
            for task in clients:
                task.cancel()
            await asyncio.gather(*clients, return_exceptions=True)
            # Nothing more is written: the view must come to the end of the log by itself.
            last = max(*others.values(), *(position for _, position in client.done.values()), 0)
            listed = await client.listed(last, patience)
        outcome.findings += [*client.findings, *await _compare(direct, client, listed)]
        if listed is None:
            outcome.findings.append(Finding("behind", f"the view did not come to {last}"))
        await direct.close()
    outcome.commands, outcome.repeated = len(client.done), client.repeated
    outcome.failures, outcome.elsewhere = client.failures, len(others)
    return outcome


async def _progress(client: Client, clients: Sequence[asyncio.Task[None]], patience: float) -> None:
    """Wait until some more commands are done. Raises TimeoutError; and what ended a client."""
    target = len(client.done) + BETWEEN
    async with asyncio.timeout(patience):
        while len(client.done) < target:
            for task in clients:
                if task.done():
                    await task
            await asyncio.sleep(PAUSE / 10)


async def _endure(
    proxy: Proxy, cut: Cut, direct: EventStore, others: dict[str, int], chance: Random
) -> None:
    """Cut the network for longer than a command may take; others go on elsewhere."""
    await asyncio.sleep(chance.random() * 0.1)
    proxy.cut(cut)
    name = f"feedback/{uuid4()}"
    event = FeedbackReceived(feedback=name, channel=CHANNEL_EMAIL, text=f"from elsewhere: {name}")
    event.event_time.GetCurrentTime()
    event.receive_time.GetCurrentTime()
    request = Request()
    new = CODEC.encode([event], request.id, request.metadata())
    appended = await direct.append(name.replace("/", "-"), new, Expected.NO_STREAM)
    others[name] = appended.position
    await asyncio.sleep(SERVICE_DEADLINE * (1.5 + chance.random()))
    proxy.heal()


async def _compare(direct: EventStore, client: Client, listed: set[str] | None) -> list[Finding]:
    """Hold log and view against what clients were told, each command by its words."""
    names: dict[str, list[str]] = defaultdict(list)
    async for batch in direct.read_all(filter=Filter(types=frozenset([FEEDBACK]))):
        for recorded in batch.events:
            event = CODEC.decode(recorded)
            assert isinstance(event, FeedbackReceived)
            names[event.text].append(event.feedback)
    findings = [
        Finding("doubled", f"{words!r}: {found}")
        for words, found in names.items()
        if len(found) > 1
    ]
    for words, (name, _) in client.done.items():
        if words not in names:
            findings.append(Finding("lost", f"{words!r}, acknowledged as {name}"))
        elif name not in names[words]:
            findings.append(Finding("altered", f"{words!r}: {name} is {names[words]}"))
    expected = {name for found in names.values() for name in found}
    if listed is not None and listed != expected:
        findings.append(Finding("misfolded", f"{sorted(listed ^ expected)[:5]}"))
    return findings


@asynccontextmanager
async def feedback(folder: Path, port: int, fault: str) -> AsyncIterator[grpc.aio.Channel]:
    """Run the feedback service on the store at ``port``; answer a channel once it is ready."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    settings = {
        "store": f"kurrentdb://127.0.0.1:{port}?tls=false",
        "data": str(folder / "views"),
        "feedback": address,
        "deadline": str(SERVICE_DEADLINE),
        "drain": "1",
    }
    module = ("tests.verify.broken_feedback", fault) if fault else ("services.feedback",)
    with process(*module, log=folder / "feedback.log", **settings) as running:
        async with grpc.aio.insecure_channel(address) as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)
            async with asyncio.timeout(PATIENCE):
                while not await _serves(health):
                    assert running.poll() is None, (folder / "feedback.log").read_text()
                    await asyncio.sleep(PAUSE)
            yield channel


async def _serves(health: Any) -> bool:
    try:
        answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=GIVING_UP)
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
