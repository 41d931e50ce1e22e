"""A process that appends without pause and says what was acknowledged, until it is killed.

Run as ``python -m tests.contract.eventstore.crasher FILE``. Event n of a stream always has the
same id, and a writer begins one event before the end of its stream: so it sends again what it
may not have heard the answer of, as a client does after a crash.
"""

import asyncio
import sys
from pathlib import Path
from uuid import NAMESPACE_OID, UUID, uuid5

from libs.eventstore.port import Append, Appended, Expected, ExpectedState, NewEvent
from libs.eventstore.sqlite import SqliteStore, open_sqlite

STREAMS = [f"crash-{number}" for number in range(16)]
PER_APPEND = 3


def event_id(stream: str, revision: int) -> UUID:
    """The id that the event at this revision of the stream has, in every run."""
    return uuid5(NAMESPACE_OID, f"{stream}/{revision}")


def events(stream: str, first: int) -> list[NewEvent]:
    """One append: the events from revision ``first`` on."""
    revisions = range(first, first + PER_APPEND)
    return [NewEvent(event_id(stream, revision), "Noted", b"x" * 300) for revision in revisions]


async def write(store: SqliteStore, stream: str) -> None:
    """Append for ever, in singles and in bulk by turns."""
    answer = await store.append(stream, [], Expected.ANY)
    first = max(answer.revision + 1 - PER_APPEND, 0)
    while True:
        expected: ExpectedState = first - 1 if first else Expected.NO_STREAM
        if first % 2:
            answer = await store.append(stream, events(stream, first), expected)
        else:
            part = Append(stream, events(stream, first), expected)
            (answered,) = await store.append_batch([part])
            assert isinstance(answered, Appended), answered
            answer = answered
        assert answer.revision == first + PER_APPEND - 1, answer
        print(stream, answer.revision, answer.position, flush=True)
        first += PER_APPEND


async def main(path: Path) -> None:
    """Write all streams at once."""
    store = await open_sqlite(path)
    await asyncio.gather(*(write(store, stream) for stream in STREAMS))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
