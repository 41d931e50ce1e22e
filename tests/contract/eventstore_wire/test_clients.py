"""The whole of what the official client does with streams, by both of its kinds alike."""

from typing import Any

import pytest
from kurrentdbclient import CaughtUp, Checkpoint, NewEvent, StreamState
from kurrentdbclient.exceptions import (
    BadRequestError,
    FailedPreconditionError,
    GrpcError,
    MaximumAppendSizeExceededError,
    NotFoundError,
    StreamIsDeletedError,
    WrongCurrentVersionError,
)

from tests.contract.eventstore_wire.faces import Face
from tests.contract.eventstore_wire.scene import event, events, fresh

ANY, NEW = {"current_version": StreamState.ANY}, {"current_version": StreamState.NO_STREAM}


async def begun(client: Face, count: int = 5) -> tuple[str, list[NewEvent]]:
    """A stream of events."""
    stream, new = fresh(), events(count)
    await client.do("append_to_stream", stream, events=new, **NEW)
    return stream, new


async def test_appends_answer_their_positions(either: Face) -> None:
    """One event, or several, answer the position of the last; the same again, the same."""
    stream, one, more = fresh(), event(), events(3)
    first = await either.do("append_to_stream", stream, events=one, **NEW)
    second = await either.do("append_to_stream", stream, events=more, current_version=0)
    shown = await either.read("get_stream", stream)
    assert shown == [one, *more]
    assert [shown[0].commit_position, shown[-1].commit_position] == [first, second]
    assert await either.do("append_to_stream", stream, events=more, current_version=0) == second
    assert await either.do("append_to_stream", stream, events=more, **ANY) == second
    assert await either.do("get_current_version", stream) == 3
    assert await either.do("get_current_version", fresh()) is StreamState.NO_STREAM


async def test_streams_are_read_both_ways(either: Face) -> None:
    """A read goes from where it is told, either way, and ends at its limit."""
    stream, new = await begun(either)
    for how, expected in (
        ({}, new),
        ({"backwards": True}, new[::-1]),
        ({"limit": 2}, new[:2]),
        ({"stream_position": 3}, new[3:]),
        ({"stream_position": 3, "limit": 1}, new[3:4]),
        ({"stream_position": 3, "backwards": True}, new[3::-1]),
        ({"stream_position": 3, "backwards": True, "limit": 2}, new[3:1:-1]),
        ({"stream_position": 9, "backwards": True, "limit": 1}, new[4:]),
    ):
        assert await either.read("get_stream", stream, **how) == expected
        assert await either.read("read_stream", stream, **how) == expected


async def test_log_is_read_both_ways(either: Face) -> None:
    """The log is read from a position on, which reading backwards leaves out."""
    stream, new = await begun(either)
    third = (await either.read("get_stream", stream))[2].commit_position
    for how, expected in (
        ({"commit_position": third, "limit": 3}, new[2:]),
        ({"commit_position": third, "backwards": True, "limit": 2}, new[1::-1]),
        ({"backwards": True, "limit": 4}, new[:0:-1]),
    ):
        assert await either.read("read_all", **how) == expected
    assert await either.do("get_commit_position") == third + 2


@pytest.mark.parametrize("prefix", [False, True])
@pytest.mark.parametrize("by_stream", [False, True])
async def test_filters_include_and_exclude(either: Face, by_stream: bool, prefix: bool) -> None:
    """Streams or types, by expressions or by beginnings, are let in or left out."""
    root = fresh()
    start = await either.do("get_commit_position")
    for word in ("red", "blue", "rest"):
        new = event(f"{root}{word}")
        await either.do("append_to_stream", f"{root}{word}", events=new, **ANY)
    how = {"filter_by_stream_name": by_stream, "filter_by_prefix": prefix}
    every = "" if prefix else ".*"

    async def found(**chosen: Any) -> list[str]:
        shown = await either.read("read_all", commit_position=start + 1, **chosen, **how)
        if "limit" not in chosen:
            back = await either.read("read_all", backwards=True, **chosen, **how)
            assert back[: len(shown)] == shown[::-1]
        return [e.type.removeprefix(root) for e in shown]

    assert await found(filter_include=(f"{root}re{every}",)) == ["red", "rest"]
    assert await found(filter_include=(f"{root}blue", f"{root}red")) == ["red", "blue"]
    assert await found(filter_include=(f"{root}re{every}",), limit=1) == ["red"]
    if not prefix:  # the client knows no such thing for prefixes
        assert await found(filter_exclude=(f"{root}re.*",)) == ["blue"]


async def test_subscriptions_bring_marks(either: Face) -> None:
    """A subscription brings history, the mark that it has caught up, checkpoints, and news."""
    stream, new = await begun(either, 2)
    last = (await either.read("get_stream", stream))[-1].commit_position
    how: dict[str, Any] = {
        "commit_position": last - 2,
        "filter_include": (stream,),
        "filter_by_stream_name": True,
        "include_checkpoints": True,
        "include_caught_up": True,
    }
    async with either.following("subscribe_to_all", **how) as take:
        *shown, mark = await take(3)
        assert shown == new
        assert isinstance(mark, CaughtUp)
        reached = await either.do("append_to_stream", fresh(), events=events(1), **NEW)
        (checkpoint,) = await take(1)
        assert isinstance(checkpoint, Checkpoint)
        assert checkpoint.commit_position == reached
        news = event()
        await either.do("append_to_stream", stream, events=news, current_version=1)
        assert await take(1) == [news]
    again = {"commit_position": reached, "include_caught_up": True}
    async with either.following("subscribe_to_all", **again) as take:
        seen, mark = await take(2)
        assert seen == news
        assert isinstance(mark, CaughtUp)


async def test_streams_are_followed(either: Face) -> None:
    """A stream is followed from a position, from its end, or from before its first event."""
    stream, new = await begun(either, 3)
    later = fresh()
    async with (
        either.following("subscribe_to_stream", stream, stream_position=0) as take,
        either.following("subscribe_to_stream", stream, from_end=True) as take_news,
        either.following("subscribe_to_stream", later) as take_later,
    ):
        assert await take(2) == new[1:]
        news = events(2)
        await either.do("append_to_stream", stream, events=news, current_version=2)
        await either.do("append_to_stream", later, events=news, **NEW)
        for each in (take, take_news, take_later):
            assert await each(2) == news


async def test_conflicts_are_told_with_versions(either: Face) -> None:
    """An unmet expectation raises WrongCurrentVersionError, with the version that there is."""
    stream, _ = await begun(either, 3)
    for new in (event(), events(2)):
        for wrong in (StreamState.NO_STREAM, 1, 7):
            with pytest.raises(WrongCurrentVersionError) as conflict:
                await either.do("append_to_stream", stream, events=new, current_version=wrong)
            assert conflict.value.actual_version == 2
        for wrong in (StreamState.EXISTS, 0):
            with pytest.raises(WrongCurrentVersionError) as conflict:
                await either.do("append_to_stream", fresh(), events=new, current_version=wrong)
            assert conflict.value.actual_version is StreamState.NO_STREAM
    for end in ("delete_stream", "tombstone_stream"):
        with pytest.raises(WrongCurrentVersionError):
            await either.do(end, stream, current_version=1)
        with pytest.raises(NotFoundError):
            await either.do(end, fresh(), current_version=1)


async def test_deleted_stream_is_not_found_and_goes_on(either: Face) -> None:
    """A deleted stream is not found, until it goes on with its next version."""
    stream, _ = await begun(either, 3)
    await either.do("delete_stream", stream, current_version=2)
    with pytest.raises(NotFoundError):
        await either.read("get_stream", stream)
    new = event()
    await either.do("append_to_stream", stream, events=new, **NEW)
    (shown,) = await either.read("get_stream", stream)
    assert (shown, shown.stream_position) == (new, 3)


async def test_tombstoned_stream_is_deleted_for_ever(either: Face) -> None:
    """A tombstoned stream raises StreamIsDeletedError, whatever is done with it."""
    stream, _ = await begun(either, 3)
    await either.do("tombstone_stream", stream, current_version=2)
    for end in ("delete_stream", "tombstone_stream"):
        with pytest.raises(StreamIsDeletedError):
            await either.do(end, stream, **ANY)
    with pytest.raises(StreamIsDeletedError):
        await either.read("get_stream", stream)
    with pytest.raises(StreamIsDeletedError):
        await either.do("append_to_stream", stream, events=events(2), **ANY)
    # For a single event the synchronous client calls Append and raises another error.
    with pytest.raises((StreamIsDeletedError, FailedPreconditionError), match="is deleted"):
        await either.do("append_to_stream", stream, events=event(), **ANY)


async def test_missing_stream_is_not_found(either: Face) -> None:
    """A stream that never was raises NotFoundError."""
    with pytest.raises(NotFoundError):
        await either.read("get_stream", fresh())
    with pytest.raises(NotFoundError):
        await either.do("delete_stream", fresh(), **ANY)


async def test_senseless_and_oversized_appends_are_refused(either: Face) -> None:
    """An event without a type, an id twice and too many bytes raise the client's errors."""
    twice, large = event(), NewEvent(type="Large", data=bytes((1 << 20) + 1))
    for new in ([NewEvent(type="", data=b"{}")], [twice, twice]):
        with pytest.raises(BadRequestError):
            await either.do("append_to_stream", fresh(), events=new, **ANY)
    with pytest.raises(MaximumAppendSizeExceededError):
        await either.do("append_to_stream", fresh(), events=[large], **ANY)
    with pytest.raises(GrpcError, match="unterminated"):
        await either.read("read_all", filter_include=("(",))
