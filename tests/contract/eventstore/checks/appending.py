"""What a writer may expect of a stream, and what an append leaves behind."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from libs.eventstore.port import (
    MAX_APPEND_EVENTS,
    MAX_EVENT_BYTES,
    MAX_STREAM_NAME,
    Appended,
    EventStore,
    Expected,
    ExpectedState,
    NewEvent,
    TooLarge,
    WrongExpectedRevision,
)
from tests.contract.eventstore.scene import category, ids, log_of, some, stream_of


async def refused(
    store: EventStore, stream: str, expected: ExpectedState, actual: int | None
) -> None:
    """An append with this expectation must be refused, with the actual revision."""
    with pytest.raises(WrongExpectedRevision) as conflict:
        await store.append(stream, some(1), expected)
    assert (conflict.value.stream, conflict.value.expected) == (stream, expected)
    assert conflict.value.actual == actual


async def check_first_append_begins_a_stream(store: EventStore) -> None:
    """The first events of a stream get the revisions 0, 1, 2."""
    stream, events = category() + "1", some(3)
    answer = await store.append(stream, events, Expected.NO_STREAM)
    assert (answer.revision, answer.repeated) == (2, False)
    read = await stream_of(store, stream)
    assert [event.revision for event in read] == [0, 1, 2]
    assert ids(read) == ids(events)


async def check_revisions_go_on_without_gaps(store: EventStore) -> None:
    """Every further append goes on where the one before ended."""
    stream = category() + "1"
    answers = [await store.append(stream, some(size), Expected.ANY) for size in (1, 3, 2)]
    assert [answer.revision for answer in answers] == [0, 3, 5]
    assert [event.revision for event in await stream_of(store, stream)] == list(range(6))


async def check_exact_revision_is_kept(store: EventStore) -> None:
    """An exact revision lets an append through only where the stream is."""
    stream = category() + "1"
    await store.append(stream, some(2), Expected.NO_STREAM)
    assert (await store.append(stream, some(1), 1)).revision == 2
    await refused(store, stream, 1, 2)
    await refused(store, stream, 3, 2)


async def check_exact_revision_needs_a_stream(store: EventStore) -> None:
    """An exact revision is refused where there is no stream."""
    await refused(store, category() + "1", 0, None)


async def check_no_stream_is_kept(store: EventStore) -> None:
    """NO_STREAM is refused once there is a stream."""
    stream = category() + "1"
    await store.append(stream, some(1), Expected.NO_STREAM)
    await refused(store, stream, Expected.NO_STREAM, 0)


async def check_exists_is_kept(store: EventStore) -> None:
    """EXISTS is refused until there is a stream."""
    stream = category() + "1"
    await refused(store, stream, Expected.EXISTS, None)
    await store.append(stream, some(1), Expected.ANY)
    assert (await store.append(stream, some(1), Expected.EXISTS)).revision == 1


async def check_conflict_writes_nothing(store: EventStore) -> None:
    """A refused append leaves neither the stream nor the log longer."""
    prefix = category()
    await store.append(prefix + "1", some(1), Expected.NO_STREAM)
    with pytest.raises(WrongExpectedRevision):
        await store.append(prefix + "1", some(3), 5)
    with pytest.raises(WrongExpectedRevision):
        await store.append(prefix + "2", some(3), 0)
    assert len(await log_of(store, prefix)) == 1


async def check_empty_append_writes_nothing(store: EventStore) -> None:
    """An append of nothing answers where the stream is, and keeps its expectation."""
    stream = category() + "1"
    assert await store.append(stream, [], Expected.ANY) == Appended(-1, 0)
    answer = await store.append(stream, some(2), Expected.NO_STREAM)
    empty = await store.append(stream, [], 1)
    assert (empty.revision, empty.position) == (1, answer.position)
    with pytest.raises(WrongExpectedRevision):
        await store.append(stream, [], 7)
    assert len(await stream_of(store, stream)) == 2


async def check_events_come_back_as_given(store: EventStore) -> None:
    """Id, type, data and metadata are kept byte for byte, empty ones too."""
    stream = category() + "1"
    context = (
        '{"$correlationId":"4f","$causationId":"5e","traceparent":"00-0af7-b7ad-01","actor":"Zoë"}'
    )
    events = [
        NewEvent(uuid4(), "equiloop.check.v1.Noted", bytes(range(256)), context.encode()),
        NewEvent(uuid4(), "Empty", b"", b""),
        NewEvent(uuid4(), "Größe 大 🎈", b"\0", b"{}"),
    ]
    await store.append(stream, events, Expected.NO_STREAM)
    read = await stream_of(store, stream)
    assert [NewEvent(e.id, e.type, e.data, e.metadata) for e in read] == events
    assert {event.stream for event in read} == {stream}


async def check_stream_names_are_exact(store: EventStore) -> None:
    """Names that differ only in case or in how a letter is composed name different streams."""
    prefix = category()
    names = [
        prefix + name for name in ("zoe", "Zoe", "zo\u00eb", "zoe\u0308", "zoe ", "🎈", "a%_*")
    ]
    for name in names:
        await store.append(name, some(1), Expected.NO_STREAM)
    assert [event.stream for event in await log_of(store, prefix)] == names
    for name in names:
        assert len(await stream_of(store, name)) == 1


async def check_position_is_that_of_the_last_event(store: EventStore) -> None:
    """An append answers the position at which the log shows its last event."""
    prefix = category()
    answer = await store.append(prefix + "1", some(3), Expected.NO_STREAM)
    assert (await log_of(store, prefix))[-1].position == answer.position
    assert await store.head() >= answer.position


async def check_time_is_recorded_and_never_decreases(store: EventStore) -> None:
    """Events carry the time of their append, in UTC, in order."""
    prefix = category()
    for number in range(5):
        await store.append(f"{prefix}{number}", some(1), Expected.NO_STREAM)
    times = [event.recorded_at for event in await log_of(store, prefix)]
    assert len(times) == 5
    assert times == sorted(times)
    assert all(time.utcoffset() == timedelta(0) for time in times)
    assert abs(datetime.now(UTC) - times[0]) < timedelta(hours=1)


async def check_largest_event_fits(store: EventStore) -> None:
    """An event may have MAX_EVENT_BYTES of data and metadata, and not one more."""
    stream = category() + "1"
    data = bytes(MAX_EVENT_BYTES - 2)
    await store.append(stream, [NewEvent(uuid4(), "Large", data, b"{}")], Expected.NO_STREAM)
    with pytest.raises(TooLarge, match=str(MAX_EVENT_BYTES)):
        await store.append(stream, [NewEvent(uuid4(), "Large", data, b"{ }")], Expected.ANY)
    (event,) = await stream_of(store, stream)
    assert event.data == data


async def check_largest_append_fits(store: EventStore) -> None:
    """An append may have MAX_APPEND_EVENTS events, and not one more."""
    stream = category() + "1"
    with pytest.raises(TooLarge, match=str(MAX_APPEND_EVENTS)):
        await store.append(stream, some(MAX_APPEND_EVENTS + 1), Expected.NO_STREAM)
    events = some(MAX_APPEND_EVENTS)
    await store.append(stream, events, Expected.NO_STREAM)
    assert ids(await stream_of(store, stream)) == ids(events)


async def check_longest_name_fits(store: EventStore) -> None:
    """A stream's name may have MAX_STREAM_NAME bytes in UTF-8, and not one more."""
    prefix = category()
    name = prefix + "é" * ((MAX_STREAM_NAME - len(prefix)) // 2)
    name += "x" * (MAX_STREAM_NAME - len(name.encode()))
    with pytest.raises(TooLarge, match=str(MAX_STREAM_NAME)):
        await store.append(name + "x", some(1), Expected.NO_STREAM)
    await store.append(name, some(1), Expected.NO_STREAM)
    assert len(await stream_of(store, name)) == 1


async def check_senseless_appends_are_refused(store: EventStore) -> None:
    """An empty name or type, an id twice, a negative revision are the caller's mistakes."""
    stream, (one, other) = category() + "1", some(2)
    untyped = NewEvent(uuid4(), "", b"{}")
    for name, events, expected in (
        ("", [one], Expected.ANY),
        (stream, [untyped], Expected.ANY),
        (stream, [one, other, one], Expected.ANY),
        (stream, [one], -1),
    ):
        with pytest.raises(ValueError, match=r"."):
            await store.append(name, events, expected)
    assert (await store.append(stream, [one], Expected.NO_STREAM)).revision == 0


async def check_one_writer_wins_each_revision(store: EventStore) -> None:
    """Of 64 writers that expect the same revision exactly one gets it, every time."""
    stream, wins = category() + "1", 0
    await store.append(stream, some(1), Expected.NO_STREAM)
    for revision in range(3):
        answers = await asyncio.gather(
            *(store.append(stream, some(1), revision) for _ in range(64)), return_exceptions=True
        )
        wins = sum(isinstance(answer, Appended) for answer in answers)
        losses = [answer for answer in answers if isinstance(answer, WrongExpectedRevision)]
        assert (wins, len(losses)) == (1, 63)
    assert len(await stream_of(store, stream)) == 4


async def check_concurrent_appends_all_get_their_place(store: EventStore) -> None:
    """64 writers without an expectation get 64 revisions, each the one that the stream shows."""
    stream = category() + "1"
    batches = [some(2) for _ in range(64)]
    answers = await asyncio.gather(
        *(store.append(stream, batch, Expected.ANY) for batch in batches)
    )
    read = ids(await stream_of(store, stream))
    assert len(read) == 128
    for batch, answer in zip(batches, answers, strict=True):
        assert read[answer.revision - 1 : answer.revision + 1] == ids(batch)
