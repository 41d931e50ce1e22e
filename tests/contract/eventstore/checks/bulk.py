"""Appends to many streams at once."""

from libs.eventstore.port import (
    MAX_EVENT_BYTES,
    Append,
    EventStore,
    Expected,
    NewEvent,
    StreamTombstoned,
    TooLarge,
    WrongExpectedRevision,
)
from tests.contract.eventstore.scene import appended, category, ids, log_of, some, stream_of


async def check_parts_are_answered_in_order(store: EventStore) -> None:
    """Every part of a bulk append gets the answer that it would have got alone."""
    prefix = category()
    parts = [Append(f"{prefix}{n}", some(n % 3 + 1), Expected.NO_STREAM) for n in range(300)]
    answers = [appended(answer) for answer in await store.append_batch(parts)]
    assert [answer.revision for answer in answers] == [n % 3 for n in range(300)]
    last = {event.stream: event.position for event in await log_of(store, prefix)}
    assert [last[part.stream] for part in parts] == [answer.position for answer in answers]


async def check_nothing_to_append_is_answered_by_nothing(store: EventStore) -> None:
    """A bulk append without parts has no answers."""
    assert await store.append_batch([]) == []


async def check_parts_stand_alone(store: EventStore) -> None:
    """Parts that are refused are answered by their errors and hinder no other part."""
    prefix = category()
    await store.append(prefix + "there", some(1), Expected.NO_STREAM)
    await store.tombstone(prefix + "ended", Expected.ANY)
    large = [NewEvent(some(1)[0].id, "Large", bytes(MAX_EVENT_BYTES + 1))]
    answers = await store.append_batch(
        [
            Append(prefix + "1", some(1), Expected.NO_STREAM),
            Append(prefix + "there", some(1), Expected.NO_STREAM),
            Append(prefix + "2", some(2), Expected.NO_STREAM),
            Append(prefix + "ended", some(1), Expected.ANY),
            Append(prefix + "large", large, Expected.ANY),
            Append(prefix + "3", some(1), Expected.EXISTS),
            Append(prefix + "there", some(1), 0),
        ]
    )
    kinds = [type(answer) for answer in answers]
    assert kinds[1:2] + kinds[3:6] == [
        WrongExpectedRevision,
        StreamTombstoned,
        TooLarge,
        WrongExpectedRevision,
    ]
    assert [appended(answers[n]).revision for n in (0, 2, 6)] == [0, 1, 1]
    assert len(await log_of(store, prefix)) == 5


async def check_parts_of_one_stream_keep_their_order(store: EventStore) -> None:
    """Parts for the same stream are appended in the order given, each seeing the one before."""
    stream = category() + "1"
    batches = [some(2) for _ in range(10)]
    parts = [
        Append(stream, events, 2 * n - 1 if n else Expected.NO_STREAM)
        for n, events in enumerate(batches)
    ]
    answers = [appended(answer).revision for answer in await store.append_batch(parts)]
    assert answers == list(range(1, 20, 2))
    assert ids(await stream_of(store, stream)) == ids([event for part in batches for event in part])


async def check_bulk_append_may_be_repeated(store: EventStore) -> None:
    """A bulk append sent again gets the first answers and writes nothing."""
    prefix = category()
    parts = [Append(f"{prefix}{n}", some(2), Expected.NO_STREAM) for n in range(20)]
    first = [appended(answer) for answer in await store.append_batch(parts)]
    again = [appended(answer) for answer in await store.append_batch(parts)]
    assert all(answer.repeated for answer in again)
    assert [(a.revision, a.position) for a in again] == [(a.revision, a.position) for a in first]
    assert len(await log_of(store, prefix)) == 40
