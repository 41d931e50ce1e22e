"""Reading one stream, and reading the log."""

import pytest

from libs.eventstore.port import EventStore, Expected, Filter, StreamNotFound
from tests.contract.eventstore.scene import category, events_of, ids, log_of, some, stream_of


async def check_stream_is_read_from_a_revision(store: EventStore) -> None:
    """A stream read begins at its start revision, included."""
    stream, events = category() + "1", some(5)
    await store.append(stream, events, Expected.NO_STREAM)
    assert ids(await stream_of(store, stream, start=2)) == ids(events[2:])
    assert await stream_of(store, stream, start=5) == []


async def check_stream_is_read_backwards(store: EventStore) -> None:
    """A stream read backwards begins at its end, or at its start revision, included."""
    stream, events = category() + "1", some(5)
    await store.append(stream, events, Expected.NO_STREAM)
    assert ids(await stream_of(store, stream, backwards=True)) == ids(events[::-1])
    assert ids(await stream_of(store, stream, backwards=True, start=2)) == ids(events[2::-1])
    assert ids(await stream_of(store, stream, backwards=True, start=99)) == ids(events[::-1])


async def check_stream_read_is_limited(store: EventStore) -> None:
    """A stream read ends after its limit."""
    stream, events = category() + "1", some(5)
    await store.append(stream, events, Expected.NO_STREAM)
    assert ids(await stream_of(store, stream, limit=2)) == ids(events[:2])
    assert ids(await stream_of(store, stream, limit=2, start=4)) == ids(events[4:])
    assert ids(await stream_of(store, stream, limit=1, backwards=True)) == ids(events[-1:])


async def check_stream_is_read_in_batches(store: EventStore) -> None:
    """Batches have events, not more than asked for, and the position of their last event."""
    stream, events = category() + "1", some(10)
    await store.append(stream, events, Expected.NO_STREAM)
    batches = [batch async for batch in store.read_stream(stream, batch=3)]
    assert all(1 <= len(batch.events) <= 3 for batch in batches)
    assert all(batch.position == batch.events[-1].position for batch in batches)
    assert ids(events_of(batches)) == ids(events)


async def check_missing_stream_is_not_found(store: EventStore) -> None:
    """A stream that was never written cannot be read, in either direction."""
    for backwards in (False, True):
        with pytest.raises(StreamNotFound):
            await stream_of(store, category() + "1", backwards=backwards)


async def check_log_keeps_the_order_of_appends(store: EventStore) -> None:
    """The log shows all streams' events in the order of their appends, positions increasing."""
    prefix = category()
    expected = []
    for number in range(12):
        events = some(number % 3 + 1)
        await store.append(f"{prefix}{number % 4}", events, Expected.ANY)
        expected += ids(events)
    log = await log_of(store, prefix)
    assert ids(log) == expected
    positions = [event.position for event in log]
    assert positions == sorted(set(positions))


async def check_log_is_read_from_a_position(store: EventStore) -> None:
    """A log read begins at its start position, included, in both directions."""
    prefix, events = category(), some(5)
    await store.append(prefix + "1", events, Expected.NO_STREAM)
    middle = (await log_of(store, prefix))[2].position
    assert ids(await log_of(store, prefix, start=middle)) == ids(events[2:])
    backwards = await log_of(store, prefix, start=middle, backwards=True)
    assert ids(backwards) == ids(events[2::-1])
    assert await log_of(store, prefix, start=2**62) == []


async def check_log_is_read_backwards(store: EventStore) -> None:
    """The log read backwards is the log in reverse."""
    prefix, events = category(), some(7)
    await store.append(prefix + "1", events, Expected.NO_STREAM)
    backwards = await log_of(store, prefix, backwards=True, batch=3)
    assert ids(backwards) == ids(events[::-1])


async def check_log_read_is_limited(store: EventStore) -> None:
    """A log read ends after its limit, counted in events that match its filter."""
    prefix, other = category(), category()
    events = some(6)
    for event in events:
        await store.append(other + "1", some(2), Expected.ANY)
        await store.append(prefix + "1", [event], Expected.ANY)
    assert ids(await log_of(store, prefix, limit=4)) == ids(events[:4])
    assert ids(await log_of(store, prefix, limit=4, backwards=True)) == ids(events[:1:-1])


async def check_log_read_says_how_far_it_looked(store: EventStore) -> None:
    """Batches of a log read are bounded, cover their events, and the last one is caught up."""
    prefix, mark = category(), await store.head()
    last = await store.append(prefix + "1", some(10), Expected.NO_STREAM)
    batches = [batch async for batch in store.read_all(start=mark, batch=3)]
    assert all(len(batch.events) <= 3 for batch in batches)
    assert all(batch.position >= batch.events[-1].position for batch in batches if batch.events)
    assert [batch.caught_up for batch in batches] == [False] * (len(batches) - 1) + [True]
    assert batches[-1].position >= last.position


async def check_log_read_without_a_match_catches_up(store: EventStore) -> None:
    """A log read that finds nothing says so, and how far it looked."""
    mark = await store.head()
    answer = await store.append(category() + "1", some(3), Expected.NO_STREAM)
    batches = [
        batch async for batch in store.read_all(start=mark, filter=Filter(prefixes=(category(),)))
    ]
    assert batches, "a read that finds nothing says how far it looked"
    assert (events_of(batches), batches[-1].caught_up) == ([], True)
    assert batches[-1].position >= answer.position


async def check_log_read_ends(store: EventStore) -> None:
    """A log read goes as far as the log went when it began, though writers go on."""
    prefix = category()
    events = some(4)
    await store.append(prefix + "1", events, Expected.NO_STREAM)
    read = 0
    async for batch in store.read_all(filter=Filter(prefixes=(prefix,)), batch=1):
        read += len(batch.events)
        await store.append(prefix + "2", some(1), Expected.ANY)
        assert read < 50
    assert read >= len(events)


async def check_head_moves_with_the_log(store: EventStore) -> None:
    """The head is a position beyond every event and moves with each append."""
    stream = category() + "1"
    heads = [await store.head()]
    for _ in range(3):
        answer = await store.append(stream, some(1), Expected.ANY)
        heads.append(await store.head())
        assert heads[-1] >= answer.position > heads[-2]
