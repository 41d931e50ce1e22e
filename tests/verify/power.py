"""Power cuts at random operations of the disk, while eight writers write and a view follows.

A cut strikes between any two writes, syncs or changes of names, in the middle of commits,
checkpoints, recoveries and the making of the file. Of what was not synced it leaves nothing, and
once more whatever chance lets be: both disks must hold every acknowledged event, and rows that
follow from them up to some position. Now and then the process is killed alone, and its successor
goes on with what the operating system had not synced.
"""

import asyncio
import pickle
import selectors
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import apsw

from libs.eventstore.port import StoreError
from tests.verify import spending
from tests.verify.bookkeeping import Book
from tests.verify.commands import WRITERS
from tests.verify.disk import POLICIES, Disk
from tests.verify.findings import Finding, Found, examine
from tests.verify.log import integrity, read_log
from tests.verify.stopping import Fault, Moment
from tests.verify.vfs import STOPPED
from tests.verify.zygote import Zygote

PER_DISK = 25
"""Cuts that a log lives through."""

PATIENCE = 60.0
"""Seconds in which a worker must have come to its cut."""


@dataclass
class Outcome(Found):
    """What a run did and found."""

    cuts: int = 0
    kills: int = 0
    disks: int = 0
    """Disks that were left by a cut, and looked at."""
    views: int = 0
    """Disks among these that held rows of the view."""
    acknowledged: int = 0
    resent: int = 0
    """Commands whose answer was cut off, and that were sent again."""


def cut_power(
    zygote: Zygote,
    folder: Path,
    seed: int,
    cuts: int,
    *,
    fault: Fault = "",
    until: str = "",
    progress: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Cut so many times, a new disk every so often; end when kind ``until`` was found."""
    outcome = Outcome()
    while outcome.cuts < cuts and not outcome.has(until):
        place = folder / f"disk-{outcome.cuts}"
        place.mkdir()
        life = Life(zygote, place, seed + outcome.cuts, fault, outcome)
        for _ in range(min(PER_DISK, cuts - outcome.cuts)):
            life.cycle()
            progress(outcome.cuts)
            if outcome.has(until):
                break
        outcome.acknowledged += len(life.book.told)
        outcome.resent += life.book.resent
    return outcome


class Life:
    """The life of one disk, from empty to its last cut."""

    def __init__(
        self, zygote: Zygote, folder: Path, seed: int, fault: Fault, outcome: Outcome
    ) -> None:
        self._zygote, self._folder, self._fault, self._outcome = zygote, folder, fault, outcome
        self._chance, self.book = Random(seed), Book(seed)
        self._state = folder / "state"
        self._go_on(Disk())

    def cycle(self) -> None:
        """Write until the process ends, be it killed, and then until the power fails."""
        chance = self._chance
        while chance.random() < 0.25:
            self._run()
            self._outcome.kills += 1
        self._run()
        disk: Disk = pickle.loads(self._state.read_bytes())
        left = disk
        for policy in ("none", chance.choice(POLICIES[1:])):
            left = disk.after_cut(policy, chance)
            self._check(left, policy)
        self._go_on(left)
        self._outcome.cuts += 1

    def _go_on(self, disk: Disk) -> None:
        """Have the next process find this disk."""
        run = self._folder / "run"
        shutil.rmtree(run, ignore_errors=True)
        disk.write_to(run)
        if disk.names and self._chance.random() < 0.3:
            # Shared memory is a file as well, and what a cut leaves of it is anybody's guess.
            (run / "log.db-shm").write_bytes(self._chance.randbytes(32 << 10))
        self._state.write_bytes(pickle.dumps(disk))

    def _run(self) -> None:
        chance, book = self._chance, self.book
        worker = self._zygote.fork(
            "tests.verify.stopping:main",
            folder=str(self._folder / "run"),
            state=str(self._state),
            seed=book.seed,
            writers={writer: book.next(writer) for writer in range(WRITERS)},
            moment=self._moment(),
            pages=chance.choice((4, 16, 64, 4000)),
            fault=self._fault,
        )
        with selectors.DefaultSelector() as selector:
            selector.register(worker, selectors.EVENT_READ)
            while not worker.ended:
                if not selector.select(PATIENCE):
                    break
                book.note(worker.lines())
        status = worker.kill()
        worker.close()
        if status != STOPPED:
            said = self._zygote.log.read_text()[-2000:]
            self._outcome.findings.append(Finding("died", f"{status}: {said}"))

    def _moment(self) -> Moment:
        chance = self._chance
        match chance.randrange(5):
            case 0:
                return Moment(operations=chance.randrange(60))  # while it opens or recovers
            case 1:
                return Moment(operations=chance.randrange(800))
            case 2:
                return Moment(syncs=chance.randrange(30))
            case 3:
                return Moment(told=chance.randrange(1, 40))
            case _:
                return Moment(closed=chance.randrange(60), operations=chance.randrange(800))

    def _check(self, left: Disk, policy: str) -> None:
        looked_at = self._folder / "looked-at"
        left.write_to(looked_at)
        path = looked_at / "log.db"
        try:
            log = asyncio.run(read_log(path))
            found = [*examine(log, self.book.begun, self.book.told), *integrity(path)]
            folded = spending.read(looked_at)
            found += spending.differences(folded, self.book)
            self._outcome.views += bool(folded.rows)
        except (StoreError, apsw.Error) as error:
            found = [Finding("unreadable", str(error))]
        shutil.rmtree(looked_at)
        self._outcome.disks += 1
        self._outcome.findings += [Finding(kind, f"{where} ({policy})") for kind, where in found]
