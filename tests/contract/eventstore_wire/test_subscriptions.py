"""Catch-up subscriptions, to the log and to a stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from kurrentdbclient import (
    AsyncKurrentDBClient,
    CaughtUp,
    Checkpoint,
    KurrentDBClient,
    RecordedEvent,
    StreamState,
)

from tests.contract.eventstore_wire.scene import event, events, fresh

MARKS: dict[str, Any] = {"include_checkpoints": True, "include_caught_up": True}


async def take(subscription: AsyncIterator[RecordedEvent], count: int) -> list[RecordedEvent]:
    """The next things that a subscription brings."""
    async with asyncio.timeout(10):
        return [await anext(subscription) for _ in range(count)]


@asynccontextmanager
async def to_streams(
    client: AsyncKurrentDBClient, prefix: str, **how: Any
) -> AsyncIterator[AsyncIterator[RecordedEvent]]:
    """A subscription to the log, of streams with a prefix."""
    subscription = await client.subscribe_to_all(
        filter_include=(prefix,), filter_by_prefix=True, filter_by_stream_name=True, **how
    )
    try:
        yield subscription
    finally:
        await subscription.stop()


async def test_log_is_followed(async_client: AsyncKurrentDBClient) -> None:
    """A subscription brings what was there, says that it has caught up, and goes on live."""
    prefix, past, news = fresh(), events(3), events(2)
    await async_client.append_to_stream(prefix + "1", events=past, current_version=StreamState.ANY)
    async with to_streams(async_client, prefix, include_caught_up=True) as subscription:
        *seen, mark = await take(subscription, 4)
        assert seen == past
        assert isinstance(mark, CaughtUp)
        assert mark.commit_position == seen[-1].commit_position
        await async_client.append_to_stream(
            prefix + "2", events=news, current_version=StreamState.ANY
        )
        assert await take(subscription, 2) == news


async def test_position_is_left_out(async_client: AsyncKurrentDBClient) -> None:
    """A subscription begins after the position that it is given."""
    prefix, new = fresh(), events(3)
    await async_client.append_to_stream(prefix, events=new, current_version=StreamState.ANY)
    second = (await async_client.get_stream(prefix))[1].commit_position
    async with to_streams(async_client, prefix, commit_position=second) as subscription:
        assert await take(subscription, 1) == new[2:]


async def test_end_of_the_log_is_a_beginning(async_client: AsyncKurrentDBClient) -> None:
    """A subscription from the end brings only what comes after."""
    prefix, new = fresh(), events(1)
    await async_client.append_to_stream(prefix, events=events(2), current_version=StreamState.ANY)
    async with to_streams(async_client, prefix, from_end=True) as subscription:
        await async_client.append_to_stream(prefix, events=new, current_version=StreamState.ANY)
        assert await take(subscription, 1) == new


async def test_spans_without_a_match_are_checkpointed(async_client: AsyncKurrentDBClient) -> None:
    """A subscription without a match brings checkpoints, while catching up and live."""
    start = await async_client.get_commit_position()
    reached = await async_client.append_to_stream(
        fresh(), events=events(50), current_version=StreamState.ANY
    )
    async with to_streams(async_client, fresh(), commit_position=start, **MARKS) as subscription:
        checkpoint, mark = await take(subscription, 2)
        assert (type(checkpoint), checkpoint.commit_position) == (Checkpoint, reached)
        assert (type(mark), mark.commit_position) == (CaughtUp, reached)
        reached = await async_client.append_to_stream(
            fresh(), events=events(1), current_version=StreamState.ANY
        )
        (checkpoint,) = await take(subscription, 1)
        assert (type(checkpoint), checkpoint.commit_position) == (Checkpoint, reached)


async def test_stream_is_followed(async_client: AsyncKurrentDBClient) -> None:
    """A subscription to a stream brings its past and its future, and no other stream's events."""
    stream, past, news = fresh(), events(3), events(2)
    await async_client.append_to_stream(stream, events=past, current_version=StreamState.ANY)
    after_first = await async_client.subscribe_to_stream(stream, stream_position=0)
    from_start = await async_client.subscribe_to_stream(stream, include_caught_up=True)
    from_end = await async_client.subscribe_to_stream(stream, from_end=True)
    *seen, mark = await take(from_start, 4)
    assert list(seen) == past
    assert isinstance(mark, CaughtUp)
    await async_client.append_to_stream(
        stream + "x", events=event(), current_version=StreamState.ANY
    )
    await async_client.append_to_stream(stream, events=news, current_version=2)
    assert await take(from_start, 2) == news
    assert await take(after_first, 4) == [*past[1:], *news]
    assert await take(from_end, 2) == news
    for subscription in (after_first, from_start, from_end):
        await subscription.stop()


async def test_stream_is_followed_before_it_begins(async_client: AsyncKurrentDBClient) -> None:
    """A stream may be followed from before its first event."""
    stream, new = fresh(), events(2)
    subscription = await async_client.subscribe_to_stream(stream)
    await async_client.append_to_stream(stream, events=new, current_version=StreamState.NO_STREAM)
    assert await take(subscription, 2) == new
    await subscription.stop()


def test_synchronous_client_follows_too(client: KurrentDBClient) -> None:
    """The synchronous client follows the log with the filter that it sends by default."""
    stream, new = fresh(), events(2)
    with client.subscribe_to_all(from_end=True) as subscription:
        client.append_to_stream(stream, events=new, current_version=StreamState.NO_STREAM)
        assert [next(subscription), next(subscription)] == new
