"""What a store keeps for itself: metastreams, and that nobody else sees or writes its streams."""

import json
from uuid import uuid4

import pytest

from libs.eventstore.port import (
    AccessDenied,
    Append,
    EventStore,
    Expected,
    Filter,
    NewEvent,
    RecordedEvent,
    StoreError,
    StreamMetadata,
    StreamNotFound,
    StreamTombstoned,
    WrongExpectedRevision,
)
from tests.contract.eventstore.scene import (
    category,
    events_of,
    follow,
    ids,
    log_of,
    some,
    stream_of,
)


def word(metadata: object) -> NewEvent:
    """An event that puts metadata in place."""
    return NewEvent(uuid4(), "$metadata", json.dumps(metadata).encode())


async def own_log(store: EventStore, prefix: str) -> list[RecordedEvent]:
    """What the log has of the store's own streams with this prefix."""
    batches = store.read_all(filter=Filter(prefixes=(prefix,), system=True))
    return [event async for batch in batches for event in batch.events]


async def check_metadata_keeps_its_history(store: EventStore) -> None:
    """The log keeps every metadata that was set; the metastream shows the newest."""
    stream = category() + "1"
    for count in (3, 2, 1):
        await store.set_stream_metadata(stream, StreamMetadata(max_count=count))
    history = await own_log(store, f"$${stream}")
    assert [(e.stream, e.type, e.revision) for e in history] == [
        (f"$${stream}", "$metadata", revision) for revision in range(3)
    ]
    assert [json.loads(event.data) for event in history] == [
        {"$maxCount": count} for count in (3, 2, 1)
    ]
    for backwards in (False, True):
        assert await stream_of(store, f"$${stream}", backwards=backwards) == history[2:]


async def check_metastream_governs(store: EventStore) -> None:
    """An append to a metastream puts its last event in place; without any there is no stream."""
    stream, events = category() + "1", some(5)
    with pytest.raises(StreamNotFound):
        await stream_of(store, f"$${stream}")
    await store.append(stream, events, Expected.NO_STREAM)
    words = [word({"$maxCount": 1}), word({"$maxCount": 2, "owner": "Zoë"})]
    answer = await store.append(f"$${stream}", words, Expected.NO_STREAM)
    assert answer.revision == 1
    expected = StreamMetadata(max_count=2, custom={"owner": "Zoë"})
    assert await store.get_stream_metadata(stream) == expected
    assert ids(await stream_of(store, stream)) == ids(events[3:])


async def check_metadata_is_replaced_at_its_revision(store: EventStore) -> None:
    """Whoever expects a metastream elsewhere replaces nothing; the same event again is no news."""
    stream, first, second = category() + "1", word({"$tb": 1}), word({"$tb": 2})
    meta = f"$${stream}"
    await store.append(meta, [first], Expected.NO_STREAM)
    for wrong in (Expected.NO_STREAM, 1, 7):
        with pytest.raises(WrongExpectedRevision):
            await store.append(meta, [second], wrong)
    await store.append(meta, [second], 0)
    again = await store.append(meta, [first], Expected.NO_STREAM)
    assert (again.revision, again.repeated) == (0, True)
    assert (await store.get_stream_metadata(stream)).truncate_before == 2


async def check_readers_see_nothing_of_the_stores_own(store: EventStore) -> None:
    """Reads and subscriptions pass the store's own events by, and come to the end all the same.

    The end is the head: a checkpoint beyond it would seem to belong to another log.
    """
    prefix = category()
    start = await store.head()
    events = some(2)
    await store.append(prefix + "1", events[:1], Expected.NO_STREAM)
    await store.set_stream_metadata(prefix + "1", StreamMetadata(max_count=9))
    await store.append(prefix + "1", events[1:], 0)
    await store.set_stream_metadata(prefix + "1", StreamMetadata(max_count=8))
    for wanted in (Filter(), Filter(prefixes=(prefix, f"$${prefix}"))):
        end = await store.head()
        batches = [b async for b in store.read_all(start=start + 1, filter=wanted)]
        assert ids(events_of(batches)) == ids(events)
        assert batches[-1].caught_up
        followed = await follow(store, 0, after=start, filter=wanted)
        assert ids(events_of(followed)) == ids(events)
        for seen in (batches[-1].position, followed[-1].position):
            assert end <= seen <= await store.head()
    assert len(await log_of(store, prefix)) == 2


async def check_stores_own_streams_are_refused(store: EventStore) -> None:
    """Nobody writes, deletes, ends or governs a stream of the store's own."""
    for name in ("$streams", "$ce-order", "$settings", "$$", "$$$streams", "$$$$order-1"):
        with pytest.raises(AccessDenied):
            await store.append(name, [word({})], Expected.ANY)
        with pytest.raises(AccessDenied):
            await store.set_stream_metadata(name, StreamMetadata(max_count=1))
    for name in ("$streams", f"$${category()}1"):
        with pytest.raises(AccessDenied):
            await store.delete(name, Expected.ANY)
        with pytest.raises(AccessDenied):
            await store.tombstone(name, Expected.ANY)
    part = Append("$settings", some(1), Expected.ANY)
    (answer,) = await store.append_batch([part])
    assert isinstance(answer, AccessDenied)
    for absent in ("$ce-order", "$et-Noted", "$by_correlation_id", "$settings"):
        with pytest.raises(StreamNotFound):
            await stream_of(store, absent)


async def check_what_is_no_metadata_is_refused(store: EventStore) -> None:
    """A metastream takes JSON objects whose bounds are whole numbers, and nothing else."""
    meta = f"$${category()}1"
    for data in (b"", b"no json", b"[]", b'{"$tb": -1}', b'{"$maxCount": 1e2}', b"[" * 100_000):
        with pytest.raises((ValueError, StoreError)):
            await store.append(meta, [NewEvent(uuid4(), "$metadata", data)], Expected.ANY)
    with pytest.raises((ValueError, StoreError)):
        await store.append(meta, [word({"$maxAge": 1 << 63})], Expected.ANY)
    with pytest.raises(StreamNotFound):
        await stream_of(store, meta)


async def check_longest_name_may_be_governed(store: EventStore) -> None:
    """A stream with the longest name that there may be has metadata, too."""
    stream = category().ljust(512, "x")
    await store.set_stream_metadata(stream, StreamMetadata(max_count=1))
    assert await store.get_stream_metadata(stream) == StreamMetadata(max_count=1)


async def check_tombstone_takes_the_metastream_along(store: EventStore) -> None:
    """The metastream of a stream that was ended for ever can be neither read nor written."""
    stream = category() + "1"
    await store.set_stream_metadata(stream, StreamMetadata(max_count=1))
    await store.tombstone(stream, Expected.ANY)
    with pytest.raises(StreamTombstoned):
        await stream_of(store, f"$${stream}")
    with pytest.raises(StreamTombstoned):
        await store.append(f"$${stream}", [word({})], Expected.ANY)
