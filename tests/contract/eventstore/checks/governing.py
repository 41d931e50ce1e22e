"""Stream metadata: how much of a stream its reads show."""

import asyncio

import pytest

from libs.eventstore.port import EventStore, Expected, StreamMetadata, StreamNotFound
from tests.contract.eventstore.scene import category, ids, log_of, some, stream_of


async def check_ungoverned_stream_has_empty_metadata(store: EventStore) -> None:
    """Where nothing was set, metadata is empty, whether or not there is a stream."""
    stream = category() + "1"
    assert await store.get_stream_metadata(stream) == StreamMetadata()
    await store.append(stream, some(1), Expected.NO_STREAM)
    assert await store.get_stream_metadata(stream) == StreamMetadata()


async def check_metadata_is_kept_and_replaced(store: EventStore) -> None:
    """Metadata comes back as it was set, and is replaced as a whole."""
    stream = category() + "1"
    await store.append(stream, some(1), Expected.NO_STREAM)
    custom: dict[str, object] = {"owner": "Zoë", "tags": [1, 2.5, None, True], "$tc": 3}
    full = StreamMetadata(max_count=5, max_age=3600, truncate_before=0, custom=custom)
    for metadata in (full, StreamMetadata(max_age=60), StreamMetadata()):
        await store.set_stream_metadata(stream, metadata)
        assert await store.get_stream_metadata(stream) == metadata


async def check_max_count_shows_the_newest(store: EventStore) -> None:
    """With a max_count, reads show so many of the newest events, also of those to come."""
    stream, events = category() + "1", some(6)
    await store.append(stream, events[:5], Expected.NO_STREAM)
    await store.set_stream_metadata(stream, StreamMetadata(max_count=2))
    assert ids(await stream_of(store, stream)) == ids(events[3:5])
    assert ids(await stream_of(store, stream, backwards=True)) == ids(events[4:2:-1])
    assert (await store.append(stream, events[5:], 4)).revision == 5
    assert ids(await stream_of(store, stream, start=0)) == ids(events[4:])


async def check_truncate_before_hides_the_older(store: EventStore) -> None:
    """With a truncate_before, reads show events from that revision on."""
    stream, events = category() + "1", some(5)
    await store.append(stream, events, Expected.NO_STREAM)
    await store.set_stream_metadata(stream, StreamMetadata(truncate_before=3))
    assert ids(await stream_of(store, stream)) == ids(events[3:])
    assert ids(await stream_of(store, stream, start=1, limit=1)) == ids(events[3:4])
    assert ids(await stream_of(store, stream, backwards=True)) == ids(events[:2:-1])


async def check_max_age_hides_the_old(store: EventStore) -> None:
    """With a max_age, reads stop showing an event once it is older."""
    stream, old, new = category() + "1", some(3), some(2)
    await store.append(stream, old, Expected.NO_STREAM)
    await store.set_stream_metadata(stream, StreamMetadata(max_age=3600))
    assert ids(await stream_of(store, stream)) == ids(old)
    await store.set_stream_metadata(stream, StreamMetadata(max_age=1))
    await asyncio.sleep(1.1)
    assert await stream_of(store, stream) == []
    await store.append(stream, new, 2)
    assert ids(await stream_of(store, stream)) == ids(new)
    assert ids(await stream_of(store, stream, backwards=True)) == ids(new[::-1])


async def check_the_strictest_bound_counts(store: EventStore) -> None:
    """With several bounds, an event must keep all of them to be shown."""
    stream, events = category() + "1", some(6)
    await store.append(stream, events, Expected.NO_STREAM)
    both = StreamMetadata(max_count=4, truncate_before=1, max_age=3600)
    await store.set_stream_metadata(stream, both)
    assert ids(await stream_of(store, stream)) == ids(events[2:])
    await store.set_stream_metadata(stream, StreamMetadata(max_count=4, truncate_before=5))
    assert ids(await stream_of(store, stream)) == ids(events[5:])


async def check_stream_may_show_nothing(store: EventStore) -> None:
    """A stream whose events are all hidden is there, and reads of it are empty."""
    stream = category() + "1"
    await store.append(stream, some(3), Expected.NO_STREAM)
    await store.set_stream_metadata(stream, StreamMetadata(truncate_before=3))
    assert await stream_of(store, stream) == []
    assert await stream_of(store, stream, backwards=True) == []
    assert (await store.append(stream, some(1), Expected.EXISTS)).revision == 3
    assert len(await stream_of(store, stream)) == 1


async def check_log_shows_what_metadata_hides(store: EventStore) -> None:
    """Metadata governs stream reads alone: the log shows every event, and no metadata."""
    stream, events = category() + "1", some(4)
    await store.append(stream, events, Expected.NO_STREAM)
    await store.set_stream_metadata(stream, StreamMetadata(max_count=1))
    assert ids(await log_of(store, stream)) == ids(events)


async def check_stream_may_be_governed_before_it_begins(store: EventStore) -> None:
    """Metadata may be set before the first event, which still finds no stream."""
    stream, events = category() + "1", some(3)
    await store.set_stream_metadata(stream, StreamMetadata(max_count=2))
    with pytest.raises(StreamNotFound):
        await stream_of(store, stream)
    assert (await store.append(stream, events, Expected.NO_STREAM)).revision == 2
    assert ids(await stream_of(store, stream)) == ids(events[1:])
