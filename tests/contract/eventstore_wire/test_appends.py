"""Appends as the official client sends them, and what it raises when they are refused.

For a single event the synchronous client calls Append, for a sequence BatchAppend. What they
raise for the same refusal differs, in the client as it does with KurrentDB.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest
from kurrentdbclient import AsyncKurrentDBClient, KurrentDBClient, NewEvent, StreamState
from kurrentdbclient.exceptions import (
    BadRequestError,
    FailedPreconditionError,
    GrpcError,
    MaximumAppendSizeExceededError,
    StreamIsDeletedError,
    WrongCurrentVersionError,
)

from tests.contract.eventstore_wire.scene import event, events, fresh


def test_append_answers_a_position_and_is_read_back(client: KurrentDBClient) -> None:
    """An append answers the position of its last event, which a read shows with all it had."""
    stream, new = fresh(), [event("Noted", b'{"a": 1}'), event("Größe 大", bytes(range(256)))]
    position = client.append_to_stream(stream, events=new, current_version=StreamState.NO_STREAM)
    read = client.get_stream(stream)
    assert [(e.id, e.type, e.data, e.metadata) for e in read] == [
        (e.id, e.type, e.data, e.metadata) for e in new
    ]
    assert [e.stream_position for e in read] == [0, 1]
    assert [e.content_type for e in read] == ["application/json", "application/octet-stream"]
    assert read[-1].commit_position == read[-1].prepare_position == position
    assert read[0].recorded_at is not None


async def test_append_works_from_asyncio(async_client: AsyncKurrentDBClient) -> None:
    """The client for asyncio appends and reads, too."""
    stream, new = fresh(), events(3)
    await async_client.append_to_stream(stream, events=new, current_version=StreamState.ANY)
    assert list(await async_client.get_stream(stream)) == new


def chances(
    *expected: int | StreamState,
) -> list[tuple[NewEvent | list[NewEvent], int | StreamState]]:
    """An event, and several, at each expectation."""
    return [(new, state) for state in expected for new in (event(), events(2))]


def test_conflicts_tell_where_the_stream_is(client: KurrentDBClient) -> None:
    """An unmet expectation raises the client's error with the actual version."""
    stream = fresh()
    for new, expected in chances(StreamState.EXISTS, 0):
        with pytest.raises(WrongCurrentVersionError) as missing:
            client.append_to_stream(stream, events=new, current_version=expected)
        assert missing.value.actual_version is StreamState.NO_STREAM
    client.append_to_stream(stream, events=events(3), current_version=StreamState.NO_STREAM)
    for new, expected in chances(StreamState.NO_STREAM, 1, 7):
        with pytest.raises(WrongCurrentVersionError) as conflict:
            client.append_to_stream(stream, events=new, current_version=expected)
        assert (conflict.value.actual_version, conflict.value.stream_name) == (2, stream)
    assert len(client.get_stream(stream)) == 3


def test_repeated_append_gets_the_first_answer(client: KurrentDBClient) -> None:
    """The same events again answer the same position and are written once."""
    stream, new = fresh(), events(2)
    first = client.append_to_stream(stream, events=new, current_version=StreamState.NO_STREAM)
    for expected in (StreamState.NO_STREAM, StreamState.ANY):
        assert client.append_to_stream(stream, events=new, current_version=expected) == first
    assert len(client.get_stream(stream)) == 2


def test_oversized_event_is_refused(client: KurrentDBClient) -> None:
    """An event over the limit raises the client's error, which names the limit."""
    large = NewEvent(type="Large", data=bytes((1 << 20) + 1))
    with pytest.raises(MaximumAppendSizeExceededError, match=str(1 << 20)):
        client.append_to_stream(fresh(), events=[large], current_version=StreamState.ANY)
    with pytest.raises(GrpcError, match=rf"INVALID_ARGUMENT[^$]*at most {1 << 20}"):
        client.append_to_stream(fresh(), events=large, current_version=StreamState.ANY)


def test_senseless_append_is_refused(client: KurrentDBClient) -> None:
    """An event without a type, and an id twice in an append, are bad requests."""
    twice = event()
    for new in ([NewEvent(type="", data=b"{}")], [twice, twice]):
        with pytest.raises(BadRequestError):
            client.append_to_stream(fresh(), events=new, current_version=StreamState.ANY)


def test_tombstoned_stream_takes_no_events(client: KurrentDBClient) -> None:
    """An append to a tombstoned stream raises the client's error."""
    stream = fresh()
    client.append_to_stream(stream, events=event(), current_version=StreamState.NO_STREAM)
    client.tombstone_stream(stream, current_version=0)
    with pytest.raises(StreamIsDeletedError):
        client.append_to_stream(stream, events=[event()], current_version=StreamState.ANY)
    with pytest.raises(FailedPreconditionError, match="is deleted"):
        client.append_to_stream(stream, events=event(), current_version=StreamState.ANY)


def test_many_clients_append_at_once(client: KurrentDBClient) -> None:
    """Concurrent appends of single events, one call each, all find their place."""
    prefix = fresh()

    def append(number: int) -> int:
        name = f"{prefix}-{number % 8}"
        return client.append_to_stream(name, events=event(), current_version=StreamState.ANY)

    with ThreadPoolExecutor(16) as threads:
        positions = list(threads.map(append, range(128)))
    assert len(set(positions)) == 128
    found = list(
        client.read_all(
            filter_include=(f"{prefix}-",), filter_by_prefix=True, filter_by_stream_name=True
        )
    )
    assert [e.commit_position for e in found] == sorted(positions)
