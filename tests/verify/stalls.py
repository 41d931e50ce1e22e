"""Subscribers that stop reading while a backlog grows: what that costs, and whether they lose."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from libs.eventstore.connect import connect
from libs.eventstore.port import Append, Expected, NewEvent
from tests.verify.findings import Finding, Found
from tests.verify.served import store_process
from tests.verify.zygote import Worker, Zygote

BOUND = 64 << 20
"""Bytes by which no process may grow while a subscriber stands, however long the backlog."""

FIRST = 2_000
"""Events before anybody stops."""

PART = 1_000
PATIENCE = 600.0
"""Seconds without an end, after which a subscriber counts as dropped."""

PROCESSES = ("server", "subscriber over the wire", "subscriber of the file")


@dataclass
class Outcome(Found):
    """What a stall was, and what it cost."""

    events: int = 0
    backlog: int = 0
    """Bytes of data appended while subscribers stood."""
    growth: dict[str, int] = field(default_factory=dict)
    """Bytes of memory by which each process grew."""


def stall(
    zygote: Zygote,
    folder: Path,
    events: int,
    size: int,
    *,
    fault: str = "",
    deaf: str = "",
    progress: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Append ``events`` of ``size`` bytes while two subscribers stand, and let them go on then.

    ``fault`` breaks the server's store, ``deaf`` that of the subscriber of the file.
    """
    outcome, total = Outcome(events=events, backlog=events * size), FIRST + events
    url = f"sqlite:///{folder}/log.db"
    with store_process(folder, fault) as served:
        asyncio.run(_append(url, FIRST, size))
        urls = {PROCESSES[1]: f"kurrentdb://127.0.0.1:{served.port}?tls=false", PROCESSES[2]: url}
        faults = {PROCESSES[2]: deaf}
        run = "tests.verify.stalling:follow"
        workers = {
            name: zygote.fork(run, url=at, events=total, fault=faults.get(name, ""))
            for name, at in urls.items()
        }
        try:
            for name, worker in workers.items():
                assert next(_heard(worker), "") == "stopped", f"{name}: {zygote.log.read_text()}"
            pids = {PROCESSES[0]: served.pid} | {name: each.pid for name, each in workers.items()}
            before = {name: resident(pid) for name, pid in pids.items()}
            asyncio.run(_append(url, events, size, progress))
            time.sleep(0.5)  # whoever reads ahead has read
            outcome.growth = {name: resident(pid) - before[name] for name, pid in pids.items()}
            for worker in workers.values():
                worker.channel.send(b"!")
            for name, worker in workers.items():
                outcome.findings += _judge(name, next(_heard(worker), "0 0"), total)
        finally:
            for worker in workers.values():
                worker.kill()
                worker.close()
    outcome.findings += [
        Finding("unbounded", f"{name} grew by {grown:,} bytes")
        for name, grown in outcome.growth.items()
        if grown > BOUND
    ]
    return outcome


def _judge(name: str, said: str, total: int) -> Iterator[Finding]:
    seen, disordered = map(int, said.split())
    if seen != total:
        yield Finding("dropped" if seen < total else "doubled", f"{name}: {seen} of {total}")
    if disordered:
        yield Finding("disordered", f"{name}: {disordered} times")


def _heard(worker: Worker) -> Iterator[str]:
    """Answer what a worker says, line by line, until it is silent for too long."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and not worker.ended:
        yield from worker.lines()
        time.sleep(0.02)


def resident(pid: int) -> int:
    """Answer the bytes of memory that a process holds."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has ended")


async def _append(
    url: str, events: int, size: int, progress: Callable[[int], None] = lambda _: None
) -> None:
    store, data = await connect(url), b"x" * size
    for start in range(0, events, PART):
        some = range(start, min(start + PART, events))
        news = [NewEvent(uuid4(), "Noted", data) for _ in some]
        await store.append_batch([Append(f"notes-{start % 7}", news, Expected.ANY)])
        progress(start)
    await store.close()
