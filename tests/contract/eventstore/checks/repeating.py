"""Appends that are sent again, because their answer was lost."""

import pytest

from libs.eventstore.port import EventStore, Expected, ExpectedState, WrongExpectedRevision
from tests.contract.eventstore.scene import category, ids, some, stream_of


async def repeated(store: EventStore, expected: ExpectedState, before: int) -> None:
    """The same append twice, and once more later: one answer, written once."""
    stream, events = category() + "1", some(3)
    if before:
        await store.append(stream, some(before), Expected.NO_STREAM)
    first = await store.append(stream, events, expected)
    second = await store.append(stream, events, expected)
    await store.append(stream, some(2), Expected.ANY)
    third = await store.append(stream, events, expected)
    assert (first.repeated, second.repeated, third.repeated) == (False, True, True)
    for answer in (second, third):
        assert (answer.revision, answer.position) == (first.revision, first.position)
    assert len(await stream_of(store, stream)) == before + 5


async def check_repeat_at_an_exact_revision(store: EventStore) -> None:
    """The same events expected after the same revision get the first answer."""
    await repeated(store, 1, before=2)


async def check_repeat_of_a_beginning(store: EventStore) -> None:
    """The same events expected to begin a stream get the first answer."""
    await repeated(store, Expected.NO_STREAM, before=0)


async def check_repeat_without_expectation(store: EventStore) -> None:
    """The same events without an expectation get the first answer."""
    await repeated(store, Expected.ANY, before=1)


async def check_repeat_where_a_stream_exists(store: EventStore) -> None:
    """The same events expected of any existing stream get the first answer."""
    await repeated(store, Expected.EXISTS, before=1)


async def check_partial_repeat_is_a_conflict(store: EventStore) -> None:
    """Known events followed by a new one are refused, whatever was expected."""
    stream, events = category() + "1", some(2)
    await store.append(stream, events, Expected.NO_STREAM)
    for expected in (Expected.NO_STREAM, Expected.ANY, Expected.EXISTS):
        with pytest.raises(WrongExpectedRevision):
            await store.append(stream, [*events, *some(1)], expected)
    assert ids(await stream_of(store, stream)) == ids(events)


async def check_repeat_in_other_order_is_a_conflict(store: EventStore) -> None:
    """The same events in another order are not the same append."""
    stream, events = category() + "1", some(3)
    await store.append(stream, events, Expected.NO_STREAM)
    with pytest.raises(WrongExpectedRevision):
        await store.append(stream, events[::-1], Expected.NO_STREAM)
    assert ids(await stream_of(store, stream)) == ids(events)


async def check_repeat_elsewhere_is_a_conflict(store: EventStore) -> None:
    """Known events are not found again at a revision where others stand."""
    stream, events = category() + "1", some(4)
    await store.append(stream, events, Expected.NO_STREAM)
    for part, expected in ((events[:2], 1), (events[2:], 0), (events[2:], Expected.NO_STREAM)):
        with pytest.raises(WrongExpectedRevision):
            await store.append(stream, part, expected)
    assert ids(await stream_of(store, stream)) == ids(events)


async def check_part_of_an_append_may_be_repeated(store: EventStore) -> None:
    """Events that stand exactly where they are expected were appended, in whatever company."""
    stream, events = category() + "1", some(4)
    await store.append(stream, events, Expected.NO_STREAM)
    answer = await store.append(stream, events[1:3], 0)
    assert (answer.revision, answer.repeated) == (2, True)


async def check_ids_belong_to_their_stream(store: EventStore) -> None:
    """The same id in another stream is another event."""
    prefix, events = category(), some(1)
    await store.append(prefix + "1", events, Expected.NO_STREAM)
    assert not (await store.append(prefix + "2", events, Expected.NO_STREAM)).repeated
    assert ids(await stream_of(store, prefix + "2")) == ids(events)
