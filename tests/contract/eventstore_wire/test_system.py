"""The store's own events, as the official clients of both kinds see them."""

import json
from typing import Any

import pytest
from kurrentdbclient import StreamState
from kurrentdbclient.exceptions import (
    AccessDeniedError,
    FailedPreconditionError,
    NotFoundError,
    StreamIsDeletedError,
    WrongCurrentVersionError,
)

from tests.contract.eventstore_wire.faces import Face
from tests.contract.eventstore_wire.scene import event, events, fresh

EVERYTHING: dict[str, Any] = {"filter_exclude": ()}


async def govern(client: Face, stream: str, *bounds: int) -> None:
    """Set a stream's metadata, one after the other."""
    for bound in bounds:
        await client.do(
            "set_stream_metadata",
            stream,
            metadata={"$maxCount": bound},
            current_version=StreamState.ANY,
        )


async def test_metadata_has_versions(either: Face) -> None:
    """Each metadata that is set has the next version, and a stale one conflicts."""
    stream = fresh()
    assert await either.do("get_stream_metadata", stream) == ({}, StreamState.NO_STREAM)
    await govern(either, stream, 3, 2)
    assert await either.do("get_stream_metadata", stream) == ({"$maxCount": 2}, 1)
    with pytest.raises(WrongCurrentVersionError) as conflict:
        await either.do("set_stream_metadata", stream, metadata={}, current_version=0)
    assert conflict.value.actual_version == 1
    await either.do("set_stream_metadata", stream, metadata={"a": [1]}, current_version=1)
    assert await either.do("get_stream_metadata", stream) == ({"a": [1]}, 2)


async def test_metastream_is_read_and_followed(either: Face) -> None:
    """A metastream shows its newest event, with its revision, and brings those that come."""
    stream = fresh()
    meta = f"$${stream}"
    with pytest.raises(NotFoundError):
        await either.read("get_stream", meta)
    await govern(either, stream, 3, 2)
    (newest,) = await either.read("get_stream", meta)
    assert (newest.type, newest.stream_position) == ("$metadata", 1)
    assert newest.content_type == "application/json"
    assert newest.commit_position > 0
    async with either.following("subscribe_to_stream", meta) as take:
        assert await take(1) == [newest]
        await govern(either, stream, 1)
        (after,) = await take(1)
    assert (after.stream_position, json.loads(after.data)) == (2, {"$maxCount": 1})


async def test_log_has_metadata_for_who_wants_it(either: Face) -> None:
    """In the log, metadata stands between other events; the client's usual filter leaves it out."""
    stream, new = fresh(), events(2)
    start = await either.do("get_commit_position", **EVERYTHING)
    await either.do("append_to_stream", stream, events=new[:1], current_version=StreamState.ANY)
    await govern(either, stream, 3)
    await either.do("append_to_stream", stream, events=new[1:], current_version=StreamState.ANY)
    shown = await either.read("read_all", commit_position=start + 1)
    assert shown == new
    shown = await either.read("read_all", commit_position=start + 1, **EVERYTHING)
    assert [e.type for e in shown] == ["Noted", "$metadata", "Noted"]
    assert [e.stream_name for e in shown] == [stream, f"$${stream}", stream]
    only = {"filter_include": (r"\$metadata",)}
    shown = await either.read("read_all", commit_position=start + 1, **only)
    assert [e.stream_position for e in shown] == [0]
    async with either.following("subscribe_to_all", commit_position=start, **EVERYTHING) as take:
        assert [e.type for e in await take(3)] == ["Noted", "$metadata", "Noted"]
        await govern(either, stream, 2)
        assert [e.type for e in await take(1)] == ["$metadata"]
    async with either.following("subscribe_to_all", commit_position=start) as take:
        assert await take(2) == new


async def test_streams_are_listed(either: Face) -> None:
    """`$streams` links to the first event of each stream, in their order, and goes on."""
    first, second, third = (fresh(word) for word in ("a", "b", "c"))
    for stream in (first, second):
        await either.do(
            "append_to_stream", stream, events=events(2), current_version=StreamState.NO_STREAM
        )
    how: dict[str, Any] = {"backwards": True, "limit": 2, "resolve_links": True}
    links = await either.read("get_stream", "$streams", **how)
    assert [(e.type, e.data.decode()) for e in links] == [
        ("$>", f"0@{second}"),
        ("$>", f"0@{first}"),
    ]
    last = links[0].stream_position
    assert links[1].stream_position == last - 1
    async with (
        either.following("subscribe_to_stream", "$streams", stream_position=last - 1) as take,
        either.following("subscribe_to_stream", "$streams", from_end=True) as take_news,
    ):
        assert await take(1) == links[:1]
        for stream in (second, third):
            await either.do(
                "append_to_stream", stream, events=event(), current_version=StreamState.ANY
            )
        for news in (await take(1), await take_news(1)):
            assert [(e.stream_position, e.data.decode()) for e in news] == [
                (last + 1, f"0@{third}")
            ]
    everything = await either.read("get_stream", "$streams")
    assert [e.stream_position for e in everything] == list(range(last + 2))


@pytest.mark.parametrize("stream", ["$ce-order", "$et-Noted", "$by_correlation_id", "$stats"])
async def test_what_projections_would_keep_is_not_found(either: Face, stream: str) -> None:
    """Streams that KurrentDB's projections keep are not there, as in one without these."""
    with pytest.raises(NotFoundError):
        await either.read("get_stream", stream)


async def test_stores_own_streams_are_denied(either: Face) -> None:
    """Writing, deleting or ending a stream of the store's own raises the client's error."""
    how = {"current_version": StreamState.ANY}
    for new in (event(), events(2)):
        for stream in ("$streams", "$settings", "$$$settings"):
            with pytest.raises(AccessDeniedError):
                await either.do("append_to_stream", stream, events=new, **how)
    for end in ("delete_stream", "tombstone_stream"):
        with pytest.raises(AccessDeniedError):
            await either.do(end, f"$${fresh()}", **how)


async def test_metastream_ends_with_its_stream(either: Face) -> None:
    """Metadata of a tombstoned stream can be neither read nor set."""
    stream = fresh()
    await govern(either, stream, 1)
    await either.do("tombstone_stream", stream, current_version=StreamState.ANY)
    with pytest.raises(StreamIsDeletedError):
        await either.do("get_stream_metadata", stream)
    with pytest.raises((StreamIsDeletedError, FailedPreconditionError), match="is deleted"):
        await govern(either, stream, 2)
