"""Large events come a few at a time: a batch is bounded in bytes, whatever was asked for."""

from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from libs.eventstore.kurrent.reading import MOST_BYTES
from libs.eventstore.port import MAX_EVENT_BYTES, Batch, Expected, NewEvent
from tests.contract.eventstore_wire.test_silence import served

EVENTS = 30
"""Of a MiB each: more than three batches can hold."""


def check(batches: Sequence[Batch]) -> None:
    sizes = [sum(len(event.data) for event in batch.events) for batch in batches]
    assert sum(sizes) == EVENTS * MAX_EVENT_BYTES
    assert max(sizes) <= MOST_BYTES + MAX_EVENT_BYTES
    revisions = [event.revision for batch in batches for event in batch.events]
    assert revisions == list(range(EVENTS))


async def test_batches_of_large_events_are_small(tmp_path: Path) -> None:
    """Reads and subscriptions bound their batches in bytes, and miss nothing."""
    async with served(tmp_path, silent=0) as (_, store):
        for _ in range(EVENTS):
            new = [NewEvent(uuid4(), "Noted", bytes(MAX_EVENT_BYTES))]
            await store.append("large-1", new, Expected.ANY)
        check([batch async for batch in store.read_stream("large-1", start=0, batch=4096)])
        log = [batch async for batch in store.read_all(batch=4096)]
        check(log)
        assert [batch.caught_up for batch in log] == [False] * (len(log) - 1) + [True]
        followed: list[Batch] = []
        async for batch in store.subscribe(batch=4096):
            followed.append(batch)
            if batch.caught_up:
                break
        check(followed)
