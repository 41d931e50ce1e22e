"""A flood of concurrent appends, and four that follow it: one of them in a writer's process."""

import asyncio
import selectors
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from libs.eventstore.connect import connect
from tests.verify import tables
from tests.verify.findings import Finding
from tests.verify.flooding import APPENDED, END, RECORD, SIDES, TYPES, end, seen
from tests.verify.tables import Rows
from tests.verify.zygote import Worker, Zygote

WRITERS = 3
AT_ONCE = 64
"""Appends that each writer has under way."""

PATIENCE = 60.0
"""Seconds without a word from anybody, after which what was not seen counts as missed."""

OBSERVERS = {"all": ("", ""), "prefix": (f"{SIDES[0]}-", ""), "type": ("", TYPES[1])}
"""Those in processes of their own, with the prefix and the type that they want."""

IN_PROCESS = "in-process"


@dataclass
class Outcome:
    """What a flood was, and what was found."""

    appends: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    findings: dict[str, list[Finding]] = field(default_factory=dict)
    """By observer; and by "log", what is wrong with the log itself."""


class Ear:
    """Takes down what a worker says, and counts the appends in it."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.heard = bytearray()
        self.appends = 0
        self._counted = 0

    def listen(self) -> None:
        """Take down what has come."""
        self.heard += self.worker.hear()
        whole = len(self.heard) // RECORD.size * RECORD.size
        first_bytes = self.heard[self._counted : whole : RECORD.size]
        self.appends += first_bytes.count(APPENDED)
        self._counted = whole


def flood(
    zygote: Zygote,
    url: str,
    appends: int,
    *,
    faults: Mapping[str, str] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Append so many to the store at ``url``, in three processes at once.

    ``faults`` break the stores of observers, by name.
    """
    ears: dict[str, Ear] = {}
    for seed, (name, (prefix, kind)) in enumerate(OBSERVERS.items()):
        fault = (faults or {}).get(name, "")
        worker = zygote.fork(
            "tests.verify.flooding:follow",
            url=url,
            prefix=prefix,
            kind=kind,
            fault=fault,
            seed=seed,
        )
        ears[name] = Ear(worker)
    for writer in range(WRITERS):
        name = f"writer {writer}" if writer else IN_PROCESS
        share = appends // WRITERS if writer else appends - appends // WRITERS * (WRITERS - 1)
        worker = zygote.fork(
            "tests.verify.flooding:write",
            url=url,
            writer=writer,
            appends=share,
            at_once=AT_ONCE,
            tail=writer == 0,
        )
        ears[name] = Ear(worker)
    try:
        _listen(list(ears.values()), url, appends, progress)
    finally:
        ends = {name: ear.worker.kill() for name, ear in ears.items()}
        for ear in ears.values():
            ear.worker.close()
    assert not any(ends.values()), f"ended badly: {ends} {zygote.log.read_text()[-4000:]}"
    return _judge({name: tables.rows(ear.heard) for name, ear in ears.items()}, url)


def _listen(ears: Sequence[Ear], url: str, appends: int, progress: Callable[[int], None]) -> None:
    """Take down what is said until all have ended; end the log once all is appended."""
    done, ended = 0, False
    with selectors.DefaultSelector() as selector:
        for ear in ears:
            selector.register(ear.worker, selectors.EVENT_READ, ear)
        while selector.get_map() and (ready := selector.select(PATIENCE)):
            for key, _ in ready:
                key.data.listen()
                if key.data.worker.ended:
                    selector.unregister(key.data.worker)
                    if key.data.worker.kill():
                        return  # it ended badly
            done = sum(ear.appends for ear in ears)
            progress(done)
            if done == appends and not ended:
                asyncio.run(_end(url))
                ended = True


async def _end(url: str) -> None:
    store = await connect(url)
    await store.append_batch([end()])
    await store.close()


async def _read(url: str) -> Rows:
    """Answer what a read of the log sees."""
    store, told = await connect(url), bytearray()
    async for batch in store.read_all(batch=4096):
        told += b"".join(seen(event) for event in batch.events if event.stream != END[0])
    await store.close()
    return tables.rows(told)[1]


def _judge(heard: Mapping[str, tuple[Rows, Rows]], url: str) -> Outcome:
    """Hold what was seen against what was acknowledged."""
    appends = tables.in_order(np.concatenate([appended for appended, _ in heard.values()]))
    number = appends["number"]
    wanted = {
        "all": appends,
        "prefix": appends[number % 2 == 0],
        "type": appends[appends["label"] % 3 == 1],
        IN_PROCESS: appends,
    }
    outcome = Outcome(len(appends), {name: len(heard[name][1]) for name in wanted})
    for name, expected in wanted.items():
        outcome.findings[name] = list(tables.compare(heard[name][1], expected))
    read = tables.compare(asyncio.run(_read(url)), appends)
    outcome.findings["log"] = [*read, *tables.order(appends)]
    return outcome
