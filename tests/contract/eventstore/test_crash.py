"""A writer that is killed loses nothing that was acknowledged."""

import subprocess
import sys
from pathlib import Path
from random import Random

import apsw

from libs.eventstore.sqlite import open_sqlite
from tests.contract.eventstore.crasher import PER_APPEND, STREAMS, event_id
from tests.contract.eventstore.scene import stream_of


def killed_after(path: Path, acknowledgements: int) -> list[tuple[str, int, int]]:
    """Run the writer and kill it in mid-flight; what it had been told by then."""
    command = [sys.executable, "-m", "tests.contract.eventstore.crasher", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        lines = [writer.stdout.readline() for _ in range(acknowledgements)]
        writer.kill()
        lines += writer.stdout.readlines()
    heard = [line.split() for line in lines if line.endswith("\n")]
    return [(stream, int(revision), int(position)) for stream, revision, position in heard]


async def test_killed_writer_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """After each of several kills every acknowledged event stands where it was said to, once."""
    path, chance = tmp_path / "log.db", Random(20)
    acknowledged: dict[tuple[str, int], int] = {}
    for _ in range(5):
        heard = killed_after(path, chance.randint(20, 200))
        assert len(heard) >= 20
        for stream, revision, position in heard:
            assert acknowledged.setdefault((stream, revision), position) == position
        store = await open_sqlite(path)
        for stream in STREAMS:
            events = await stream_of(store, stream)
            assert [event.revision for event in events] == list(range(len(events)))
            assert [e.id for e in events] == [event_id(stream, r) for r in range(len(events))]
            assert len(events) % PER_APPEND == 0, "an append is all or nothing"
            positions = {event.revision: event.position for event in events}
            told = {r: p for (name, r), p in acknowledged.items() if name == stream}
            assert told.items() <= positions.items()
        await store.close()
    assert apsw.Connection(str(path)).pragma("integrity_check") == "ok"
