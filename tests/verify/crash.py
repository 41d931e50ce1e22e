"""kill -9 at random moments: eight writers in four processes and a read model, on one file.

Each cycle kills some or all of them, in the middle of whatever they do, and holds the log and the
rows against what had been acknowledged by then: half of the time before, half of the time while
their successors go on.
"""

import asyncio
import selectors
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from libs.contract.events import CODEC
from libs.decider import Decider
from libs.eventstore.sqlite import open_sqlite
from tests.verify import spending
from tests.verify.bookkeeping import Book
from tests.verify.commands import WRITERS, command
from tests.verify.findings import Finding, Found, Told, examine
from tests.verify.log import integrity, read_log
from tests.verify.writer import send
from tests.verify.zygote import Worker, Zygote

PROCESSES = 4
PER_FILE = 25
"""Cycles that a file lives through; so its creation is killed often, and its checks stay quick."""

PATIENCE = 30.0
"""Seconds without a word from any worker after which the run is given up."""

KILLED = -9


@dataclass
class Outcome(Found):
    """What a run did and found."""

    cycles: int = 0
    kills: int = 0
    acknowledged: int = 0
    events: int = 0
    resent: int = 0
    """Commands whose answer a kill had cut off, and that were sent again."""
    unopened: int = 0
    """Workers that were killed before they said anything, while they opened the file."""


@dataclass(frozen=True)
class Faults:
    """Names of the faults planted in the stores of the writers and of the read model."""

    writers: str = ""
    view: str = ""


def crash(
    zygote: Zygote,
    folder: Path,
    seed: int,
    cycles: int,
    *,
    faults: Faults = Faults(),
    until: str = "",
    progress: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Run ``cycles``, a new file every so often; end when something of kind ``until`` was found."""
    outcome = Outcome()
    while outcome.cycles < cycles and not outcome.has(until):
        place = folder / f"file-{outcome.cycles}"
        place.mkdir()
        life = Life(zygote, place, seed + outcome.cycles, faults, outcome)
        try:
            for _ in range(min(PER_FILE, cycles - outcome.cycles)):
                life.cycle()
                progress(outcome.cycles)
                if outcome.has(until):
                    break
        finally:
            life.end()
        if not outcome.findings:
            asyncio.run(life.settle())
    return outcome


class Life:
    """The life of one file, from its creation to its last check."""

    def __init__(
        self, zygote: Zygote, folder: Path, seed: int, faults: Faults, outcome: Outcome
    ) -> None:
        self._zygote, self._seed, self._faults, self._outcome = zygote, seed, faults, outcome
        self._path, self._views = folder / "log.db", folder / "views"
        self._chance, self._book = Random(seed), Book(seed)
        self._workers: dict[int, Worker] = {}
        self._said: Counter[int] = Counter()

    def cycle(self) -> None:
        """Let all run for a while, kill some, check; the killed rise again before or after it."""
        chance = self._chance
        self._fork()
        self._hear_out(0 if chance.random() < 0.15 else chance.randrange(1, 60))
        time.sleep(chance.random() * 0.005)
        everyone = range(PROCESSES + 1)
        victims = (
            everyone if chance.random() < 0.6 else chance.sample(everyone, chance.randint(1, 4))
        )
        for number in victims:
            self._kill(number)
        if chance.random() < 0.5:
            self._fork()
        asyncio.run(self._check())
        self._outcome.cycles += 1

    def end(self) -> None:
        """Kill whatever is left."""
        for number in list(self._workers):
            self._kill(number)

    def _fork(self) -> None:
        """Start the processes that are missing; the last one folds the read model."""
        for number in range(PROCESSES + 1):
            if number in self._workers:
                continue
            path = str(self._path)
            if number == PROCESSES:
                target, arguments = "tests.verify.spending:main", {"views": str(self._views)}
                self._workers[number] = self._zygote.fork(
                    target, path=path, fault=self._faults.view, **arguments
                )
                continue
            mine = range(number, WRITERS, PROCESSES)
            self._workers[number] = self._zygote.fork(
                "tests.verify.writer:main",
                path=path,
                seed=self._seed,
                writers={writer: self._book.next(writer) for writer in mine},
                fault=self._faults.writers,
            )

    def _hear_out(self, acknowledgements: int) -> None:
        """Listen until that many more commands were acknowledged, or one who should go on ends."""
        target = len(self._book.told) + acknowledgements
        with selectors.DefaultSelector() as selector:
            for number, worker in self._workers.items():
                selector.register(worker, selectors.EVENT_READ, number)
            while len(self._book.told) < target:
                ready = selector.select(PATIENCE)
                assert ready, f"nobody has said a word for {PATIENCE:g} s"
                for key, _ in ready:
                    self._hear(key.data)
                if any(worker.ended for worker in self._workers.values()):
                    return

    def _hear(self, number: int) -> None:
        lines = self._workers[number].lines()
        self._said[number] += len(lines)
        self._book.note(line for line in lines if not line.startswith("folded"))

    def _kill(self, number: int) -> None:
        status = self._workers[number].kill()
        self._hear(number)
        self._workers.pop(number).close()
        self._outcome.kills += 1
        self._outcome.unopened += self._said.pop(number, 0) == 0
        if status != KILLED:
            said = self._zygote.log.read_text()[-2000:]
            self._outcome.findings.append(Finding("died", f"worker {number}: {status}\n{said}"))

    async def _check(self) -> None:
        """Check log and rows while others may go on.

        What was acknowledged before the log was read must be in it; what is in it must have been
        begun before it had been read.
        """
        told = dict(self._book.told)
        log = await read_log(self._path)
        folded = spending.read(self._views)
        for number in self._workers:
            self._hear(number)
        self._outcome.findings += examine(log, self._book.begun, told)
        self._outcome.findings += spending.differences(folded, self._book)

    async def settle(self) -> None:
        """Send again what was left in doubt; then all must be exact."""
        book, store = self._book, await open_sqlite(self._path)
        decider = Decider(store, CODEC)
        for key in book.doubts():
            (place,) = await send(store, decider, [command(self._seed, *key)])
            book.told[key] = Told(*place, time.monotonic_ns())
            book.resent += 1
        folded = await spending.caught_up(store, self._views)
        await store.close()
        log = await read_log(self._path)
        findings = [*examine(log, book.begun, book.told), *spending.differences(folded, book)]
        self._outcome.findings += findings
        self._outcome.findings += integrity(self._path)
        self._outcome.acknowledged += len(book.told)
        self._outcome.events += len(log)
        self._outcome.resent += book.resent
