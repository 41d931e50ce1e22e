"""The proof of durability in short: some kills, some power cuts, and a fault planted in each.

`make verify` does the same at length and with more faults.
"""

import asyncio
import pickle
import select
import socket
from pathlib import Path
from random import Random
from uuid import UUID

from libs.eventstore.port import Expected, NewEvent
from libs.eventstore.sqlite import open_sqlite
from tests.verify.crash import Faults, crash
from tests.verify.disk import Disk
from tests.verify.log import read_log
from tests.verify.power import cut_power
from tests.verify.vfs import STOPPED, Recording
from tests.verify.zygote import Worker, Zygote

SEED = 20
CYCLES = 12
NEVER = 1 << 60


def test_kills_lose_and_double_nothing(zygote: Zygote, tmp_path: Path) -> None:
    """After every kill all that was acknowledged is in log and rows, once, and nothing unsent."""
    outcome = crash(zygote, tmp_path, SEED, CYCLES)
    assert not outcome.findings
    assert (outcome.cycles, outcome.resent > 0) == (CYCLES, True)


def test_an_early_acknowledgement_is_found_out(zygote: Zygote, tmp_path: Path) -> None:
    """A store that acknowledges before it has committed is found to have lost something."""
    faults = Faults(writers="AcknowledgesBeforeTheCommit")
    kind = "lost"
    assert kind in crash(zygote, tmp_path, SEED, 50, faults=faults, until=kind).kinds


def test_a_view_that_folds_twice_is_found_out(zygote: Zygote, tmp_path: Path) -> None:
    """A read model that is given an event twice after a kill is unlike the oracle."""
    faults = Faults(view="RedeliversAfterACheckpoint")
    kind = "misfolded"
    assert kind in crash(zygote, tmp_path, SEED, 50, faults=faults, until=kind).kinds


def test_power_cuts_lose_nothing(zygote: Zygote, tmp_path: Path) -> None:
    """After every cut the file opens, is sound, and holds all that was acknowledged."""
    outcome = cut_power(zygote, tmp_path, SEED, CYCLES)
    assert not outcome.findings
    assert outcome.acknowledged > 0


def test_a_disk_that_does_not_sync_is_found_out(zygote: Zygote, tmp_path: Path) -> None:
    """Where the disk does not do as it says, acknowledged events are found lost."""
    outcome = cut_power(zygote, tmp_path, SEED, 20, fault="lying disk", until="lost")
    assert "lost" in outcome.kinds


EVENT = NewEvent(UUID(int=7), "Noted", b"{}")


def append_once(channel: socket.socket, *, folder: str, stop_in_commit: bool) -> None:
    """Append an event; be killed when its commit is written and not synced, or go on to a cut."""
    vfs = Recording(Path(folder) / "state", NEVER, NEVER, lies=False)

    async def append() -> None:
        store = await open_sqlite(Path(folder) / "run" / "log.db")
        if stop_in_commit:
            vfs.sync = lambda *_, **__: vfs.stop()  # type: ignore[method-assign]
        answer = await store.append("order-1", [EVENT], Expected.ANY)
        channel.sendall(f"{answer.repeated}\n".encode())
        vfs.stop()

    asyncio.run(append())


def ended(worker: Worker) -> list[str]:
    """What a process has said when it has ended."""
    lines = []
    while not worker.ended:
        select.select([worker], [], [])
        lines += worker.lines()
    assert worker.kill() == STOPPED
    worker.close()
    return lines


async def test_what_a_killed_process_left_is_synced_first(zygote: Zygote, tmp_path: Path) -> None:
    """A repeat of what a killed process had written, but not synced, outlives a power cut.

    Found by the power cuts: nothing was written to acknowledge it, and so nothing was synced.
    """
    (tmp_path / "state").write_bytes(pickle.dumps(Disk()))
    (tmp_path / "run").mkdir()
    target = f"{__name__}:append_once"
    said = [
        ended(zygote.fork(target, folder=str(tmp_path), stop_in_commit=stop))
        for stop in (True, False)
    ]
    assert said == [[], ["True"]]
    disk: Disk = pickle.loads((tmp_path / "state").read_bytes())
    disk.after_cut("none", Random(SEED)).write_to(tmp_path / "left")
    (event,) = await read_log(tmp_path / "left" / "log.db")
    assert event.id == EVENT.id
