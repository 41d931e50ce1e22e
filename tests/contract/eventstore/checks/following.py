"""Subscriptions: what has been, then what comes, each event once and in order."""

import asyncio

from libs.eventstore.port import Append, Batch, EventStore, Expected, Filter
from tests.contract.eventstore import scene
from tests.contract.eventstore.scene import (
    category,
    events_of,
    follow,
    following,
    held,
    ids,
    log_of,
    some,
)


def only(prefix: str) -> Filter:
    """Events of this check alone."""
    return Filter(prefixes=(prefix,))


async def check_history_comes_first(store: EventStore) -> None:
    """A subscription from the beginning delivers what the log holds, in its order."""
    prefix = category()
    for number in range(10):
        await store.append(f"{prefix}{number % 3}", some(2), Expected.ANY)
    batches = await follow(store, 20, filter=only(prefix))
    assert ids(events_of(batches)) == ids(await log_of(store, prefix))


async def check_subscription_begins_after_its_position(store: EventStore) -> None:
    """A subscription's position is excluded: its checkpoint is what was handled last."""
    prefix, events = category(), some(5)
    await store.append(prefix + "1", events, Expected.NO_STREAM)
    log = await log_of(store, prefix)
    batches = await follow(store, 2, after=log[2].position, filter=only(prefix))
    assert ids(events_of(batches)) == ids(events[3:])


async def check_live_events_follow_history(store: EventStore) -> None:
    """What is appended during a subscription follows what was there, without gap or repeat."""
    prefix, expected = category(), []
    for _ in range(5):
        events = some(3)
        await store.append(prefix + "1", events, Expected.ANY)
        expected += ids(events)
    seen: list[object] = []
    async with asyncio.timeout(scene.patience), following(store, filter=only(prefix)) as batches:
        async for batch in batches:
            seen += ids(batch.events)
            if batch.caught_up and len(expected) < 40:
                events = some(2)
                await store.append(prefix + "2", events, Expected.ANY)
                expected += ids(events)
            elif len(seen) >= 40:
                break
    assert seen == expected[: len(seen)]


async def check_subscription_says_when_it_has_caught_up(store: EventStore) -> None:
    """A subscription marks the end of the log, also where there is nothing after its position."""
    prefix = category()
    last = await store.append(prefix + "1", some(3), Expected.NO_STREAM)
    batches = await follow(store, 0, after=last.position, filter=only(prefix))
    assert batches[-1].caught_up
    assert events_of(batches) == []
    batches = await follow(store, 0, filter=only(prefix))
    assert (held(batches), batches[-1].caught_up) == (3, True)


async def check_positions_lead_through_the_log(store: EventStore) -> None:
    """Batches' positions never fall, and lie between the events before and after them."""
    prefix, mark = category(), await store.head()
    await store.append(prefix + "1", some(20), Expected.NO_STREAM)
    batches = await follow(store, 20, after=mark, batch=3)
    positions = [batch.position for batch in batches]
    assert positions == sorted(positions)
    before = mark
    for batch in batches:
        assert all(before < event.position <= batch.position for event in batch.events)
        before = batch.position


async def check_spans_without_a_match_are_checkpointed(store: EventStore) -> None:
    """A subscription whose filter matches nothing still says how far it looked, also live."""
    mark, reached = await store.head(), asyncio.Event()
    target = (await store.append(category() + "1", some(300), Expected.NO_STREAM)).position

    async def watch() -> None:
        async with following(store, after=mark, filter=only(category())) as batches:
            async for batch in batches:
                assert not batch.events
                if batch.position >= target:
                    reached.set()

    watching = asyncio.create_task(watch())
    try:
        async with asyncio.timeout(scene.patience):
            await reached.wait()
            reached.clear()
            target = (await store.append(category() + "1", some(300), Expected.NO_STREAM)).position
            await reached.wait()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def check_every_checkpoint_resumes_exactly(store: EventStore) -> None:
    """Begun again from any batch's position, a subscription delivers exactly what is left."""
    prefix, mark = category(), await store.head()
    for number in range(12):
        await store.append(f"{prefix}{number}", some(1), Expected.NO_STREAM)
        await store.append(category() + "1", some(2), Expected.NO_STREAM)
    batches = await follow(store, 12, after=mark, filter=only(prefix), batch=2)
    everything = ids(events_of(batches))
    for count in range(1, len(batches)):
        done = ids(events_of(batches[:count]))
        if left := len(everything) - len(done):
            checkpoint = batches[count - 1].position
            rest = await follow(store, left, after=checkpoint, filter=only(prefix))
            assert done + ids(events_of(rest)) == everything


async def check_batches_are_bounded(store: EventStore) -> None:
    """A subscription's batches have no more events than asked for, however many wait."""
    prefix = category()
    await store.append(prefix + "1", some(50), Expected.NO_STREAM)
    batches = await follow(store, 50, filter=only(prefix), batch=7)
    assert max(len(batch.events) for batch in batches) <= 7
    assert held(batches) == 50


async def check_slow_consumer_misses_nothing(store: EventStore) -> None:
    """A consumer that takes its time finds everything that was appended meanwhile."""
    prefix, mark = category(), await store.head()
    seen: list[Batch] = []
    async with (
        asyncio.timeout(scene.patience),
        following(store, after=mark, filter=only(prefix), batch=5) as batches,
    ):
        async for batch in batches:
            seen.append(batch)
            if held(seen) >= 100:
                break
            if len(seen) <= 10:
                await store.append(prefix + "1", some(10), Expected.ANY)
    assert ids(events_of(seen)) == ids(await log_of(store, prefix))[: held(seen)]


async def check_all_subscribers_see_the_order_of_the_log(store: EventStore) -> None:
    """Subscribers see what concurrent writers write in the log's order, each stream in its own."""
    prefix, mark = category(), await store.head()

    async def write(number: int) -> None:
        for revision in range(5):
            expected = revision - 1 if revision else Expected.NO_STREAM
            await store.append(f"{prefix}{number}", some(1), expected)

    subscribers = [
        asyncio.create_task(follow(store, 320, after=mark, filter=only(prefix), batch=batch))
        for batch in (4, 512)
    ]
    await asyncio.gather(*(write(number) for number in range(64)))
    log = await log_of(store, prefix)
    assert len(log) == 320
    for subscriber in subscribers:
        seen = events_of(await subscriber)
        assert seen == log
    for number in range(64):
        own = [event.revision for event in log if event.stream == f"{prefix}{number}"]
        assert own == list(range(5))


async def check_bulk_appends_reach_subscribers_in_order(store: EventStore) -> None:
    """What was appended in bulk is delivered in the order of its parts' positions."""
    prefix, mark = category(), await store.head()
    parts = [Append(f"{prefix}{n}", some(2), Expected.NO_STREAM) for n in range(100)]
    await store.append_batch(parts)
    seen = events_of(await follow(store, 200, after=mark, filter=only(prefix), batch=64))
    assert seen == await log_of(store, prefix)


async def check_subscription_may_be_left(store: EventStore) -> None:
    """Leaving a subscription hinders neither the store nor another subscription."""
    prefix = category()
    await store.append(prefix + "1", some(3), Expected.NO_STREAM)
    for _ in range(3):
        async with following(store, filter=only(prefix), batch=1) as batches:
            async for batch in batches:
                if batch.events:
                    break
    await store.append(prefix + "1", some(1), 2)
    assert held(await follow(store, 4, filter=only(prefix))) == 4
