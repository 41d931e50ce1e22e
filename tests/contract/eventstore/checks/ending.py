"""Streams that are deleted, and streams that are ended for ever."""

import pytest

from libs.eventstore.port import (
    EventStore,
    Expected,
    StoreError,
    StreamMetadata,
    StreamNotFound,
    StreamTombstoned,
    WrongExpectedRevision,
)
from tests.contract.eventstore.scene import category, ids, log_of, some, stream_of


async def deleted(store: EventStore, size: int = 3) -> str:
    """A stream that had ``size`` events and was deleted."""
    stream = category() + "1"
    await store.append(stream, some(size), Expected.NO_STREAM)
    await store.delete(stream, size - 1)
    return stream


async def check_deleted_stream_is_not_found(store: EventStore) -> None:
    """A deleted stream cannot be read, in either direction."""
    stream = await deleted(store)
    for backwards in (False, True):
        with pytest.raises(StreamNotFound):
            await stream_of(store, stream, backwards=backwards)


async def check_append_after_delete_goes_on(store: EventStore) -> None:
    """A deleted stream that is written again goes on with the next revision, its past hidden."""
    stream, events = await deleted(store), some(2)
    answer = await store.append(stream, events, Expected.NO_STREAM)
    assert answer.revision == 4
    read = await stream_of(store, stream)
    assert [(event.id, event.revision) for event in read] == [
        (events[0].id, 3),
        (events[1].id, 4),
    ]
    assert ids(await stream_of(store, stream, backwards=True)) == ids(events[::-1])
    assert ids(await stream_of(store, stream, start=0, limit=1)) == ids(events[:1])


async def check_deleted_stream_may_be_expected_to_be_anywhere(store: EventStore) -> None:
    """A deleted stream may be written without expectation or at its last revision."""
    assert (await store.append(await deleted(store), some(1), Expected.ANY)).revision == 3
    assert (await store.append(await deleted(store), some(1), 2)).revision == 3
    with pytest.raises(WrongExpectedRevision):
        await store.append(await deleted(store), some(1), 1)


async def check_deleted_stream_does_not_exist(store: EventStore) -> None:
    """EXISTS is refused for a deleted stream, until it is written again."""
    stream = await deleted(store)
    with pytest.raises(StoreError):
        await store.append(stream, some(1), Expected.EXISTS)
    await store.append(stream, some(1), Expected.ANY)
    assert (await store.append(stream, some(1), Expected.EXISTS)).revision == 4


async def check_append_after_delete_may_be_repeated(store: EventStore) -> None:
    """The append that revives a stream gets its first answer when it is sent again."""
    stream, events = await deleted(store), some(2)
    first = await store.append(stream, events, 2)
    again = await store.append(stream, events, 2)
    assert (again.revision, again.position, again.repeated) == (4, first.position, True)


async def check_log_keeps_deleted_events(store: EventStore) -> None:
    """Deleting hides a stream from stream reads alone: the log keeps its events."""
    stream = await deleted(store)
    assert len(await log_of(store, stream)) == 3


async def check_delete_keeps_its_expectation(store: EventStore) -> None:
    """A delete at another revision is refused and hides nothing."""
    stream = category() + "1"
    await store.append(stream, some(2), Expected.NO_STREAM)
    for expected in (0, 5, Expected.NO_STREAM):
        with pytest.raises(WrongExpectedRevision):
            await store.delete(stream, expected)
    assert len(await stream_of(store, stream)) == 2


async def check_delete_may_be_repeated(store: EventStore) -> None:
    """A stream deleted twice is deleted; a stream that never was cannot be."""
    stream = await deleted(store)
    await store.delete(stream, 2)
    await store.delete(stream, Expected.ANY)
    with pytest.raises(StreamNotFound):
        await stream_of(store, stream)
    with pytest.raises(StreamNotFound):
        await store.delete(category() + "1", Expected.ANY)


async def check_stream_may_be_deleted_again(store: EventStore) -> None:
    """A revived stream may be deleted again, and hides all that it had."""
    stream = await deleted(store)
    await store.append(stream, some(2), Expected.ANY)
    await store.delete(stream, Expected.EXISTS)
    with pytest.raises(StreamNotFound):
        await stream_of(store, stream)
    assert (await store.append(stream, some(1), Expected.NO_STREAM)).revision == 5
    assert len(await stream_of(store, stream)) == 1


async def check_tombstone_is_for_ever(store: EventStore) -> None:
    """A tombstoned stream can be neither read, nor written, nor ended again."""
    stream = category() + "1"
    await store.append(stream, some(2), Expected.NO_STREAM)
    await store.tombstone(stream, 1)
    with pytest.raises(StreamTombstoned):
        await stream_of(store, stream)
    for expected in (Expected.ANY, Expected.NO_STREAM, Expected.EXISTS, 1):
        with pytest.raises(StreamTombstoned):
            await store.append(stream, some(1), expected)
    with pytest.raises(StreamTombstoned):
        await store.tombstone(stream, Expected.ANY)
    with pytest.raises(StreamTombstoned):
        await store.delete(stream, Expected.ANY)
    with pytest.raises(StreamTombstoned):
        await store.set_stream_metadata(stream, StreamMetadata(max_count=1))
    with pytest.raises(StreamTombstoned):
        await store.get_stream_metadata(stream)
    assert len(await log_of(store, stream)) == 2


async def check_tombstone_may_come_first(store: EventStore) -> None:
    """A stream may be ended before it had events, and after it was deleted."""
    for stream in (category() + "1", await deleted(store)):
        await store.tombstone(stream, Expected.ANY)
        with pytest.raises(StreamTombstoned):
            await store.append(stream, some(1), Expected.NO_STREAM)


async def check_tombstone_keeps_its_expectation(store: EventStore) -> None:
    """A tombstone at another revision is refused and ends nothing."""
    stream = category() + "1"
    await store.append(stream, some(2), Expected.NO_STREAM)
    for expected in (0, 5, Expected.NO_STREAM):
        with pytest.raises(WrongExpectedRevision):
            await store.tombstone(stream, expected)
    assert (await store.append(stream, some(1), 1)).revision == 2
