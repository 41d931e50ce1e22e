"""A long log to read from, made in the store's own way."""

from pathlib import Path

from libs.eventstore.connect import connect
from libs.eventstore.port import Append, Expected
from tests.bench.appends import LIFE, lives

_BATCH = 2_500
"""Streams appended to at a time."""


async def make_log(path: Path, events: int) -> None:
    """Write a log of `events` in streams of a few."""
    store = await connect(f"sqlite:///{path}")
    for start in range(0, events // LIFE, _BATCH):
        streams = min(_BATCH, events // LIFE - start)
        await store.append_batch(
            [Append(name, found, Expected.NO_STREAM) for name, found in lives(streams)]
        )
    await store.close()
