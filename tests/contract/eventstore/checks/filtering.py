"""Which events of the log are wanted."""

from libs.eventstore.port import EventStore, Expected, Filter
from tests.contract.eventstore.scene import category, events_of, follow, ids, some


async def both_ways(store: EventStore, wanted: Filter, after: int) -> list[str]:
    """Streams of the events that pass the filter, in a read and in a subscription alike."""
    batches = [batch async for batch in store.read_all(start=after, filter=wanted)]
    read = [event for event in events_of(batches) if event.position > after]
    followed = events_of(await follow(store, len(read), after=after, filter=wanted))
    assert ids(followed) == ids(read)
    return [event.stream for event in read]


async def check_events_are_filtered_by_type(store: EventStore) -> None:
    """Types match exactly, any of those given."""
    stream, mark = category() + "1", await store.head()
    kinds = [stream + kind for kind in ("Noted", "noted", "NotedTwice", "No.ed", "Other")]
    for kind in kinds:
        await store.append(stream, some(1, kind), Expected.ANY)
    wanted = Filter(types=frozenset({kinds[0], kinds[3]}))
    found = events_of([batch async for batch in store.read_all(start=mark, filter=wanted)])
    assert [event.type for event in found] == [kinds[0], kinds[3]]
    assert await both_ways(store, wanted, mark) == [stream, stream]


async def check_prefixes_match_exactly(store: EventStore) -> None:
    """Prefixes match character by character: no case folding, no wildcards, no composition."""
    root, mark = category(), await store.head()
    kept = ["a%b-1", "a%b", "a%b🎈"]
    for name in [*kept, "a%", "A%b-1", "axb-1", "a%B", "a", "a*b", "ba%b"]:
        await store.append(root + name, some(1), Expected.NO_STREAM)
    wanted = Filter(prefixes=(root + "a%b",))
    assert await both_ways(store, wanted, mark) == [root + name for name in kept]


async def check_regular_expressions_are_plain_text(store: EventStore) -> None:
    """Characters that mean something to a regular expression are ordinary in a prefix."""
    root, mark = category(), await store.head()
    kept = ["a.b(c[d]+$|^-1", "a.b(c[d]+$|^"]
    for name in [*kept, "axb(c[d]+$|^", "a.b", "a.b(cd", "a.bcd"]:
        await store.append(root + name, some(1), Expected.NO_STREAM)
    wanted = Filter(prefixes=(root + "a.b(c[d]+$|^",))
    assert await both_ways(store, wanted, mark) == [root + name for name in kept]


async def check_prefixes_may_end_anywhere_in_unicode(store: EventStore) -> None:
    """A prefix may end in any character, the last one of a plane or of Unicode too."""
    root, mark = category(), await store.head()
    for end in ("é", "\u00ff", "\u07ff", "\ud7ff", "\uffff", "\U0010ffff", "~"):
        names = [root + end, root + end + "1"]
        for name in names:
            await store.append(name, some(1), Expected.NO_STREAM)
        assert await both_ways(store, Filter(prefixes=(root + end,)), mark) == names


async def check_any_of_several_prefixes(store: EventStore) -> None:
    """Streams with any of the prefixes pass, once each, and an empty prefix passes all."""
    root, mark = category(), await store.head()
    names = [root + name for name in ("order-1", "item-1", "order-2", "other-1")]
    for name in names:
        await store.append(name, some(1), Expected.NO_STREAM)
    wanted = Filter(prefixes=(root + "order-", root + "item-", root + "order-2"))
    assert await both_ways(store, wanted, mark) == names[:3]
    all_streams = await both_ways(store, Filter(prefixes=("", root + "order-")), mark)
    assert [name for name in all_streams if name.startswith(root)] == names


async def check_types_and_prefixes_must_both_hold(store: EventStore) -> None:
    """With both given, an event must have one of the types and one of the prefixes."""
    root, mark = category(), await store.head()
    for name in ("order-1", "item-1", "other-1"):
        await store.append(root + name, [*some(1, "Noted"), *some(1, "Shipped")], Expected.ANY)
    prefixes = (root + "order-", root + "item-")
    wanted = Filter(types=frozenset({"Shipped"}), prefixes=prefixes)
    batches = [batch async for batch in store.read_all(start=mark, filter=wanted)]
    found = [(event.stream, event.type) for event in events_of(batches)]
    assert found == [(root + "order-1", "Shipped"), (root + "item-1", "Shipped")]
    assert await both_ways(store, wanted, mark) == [root + "order-1", root + "item-1"]
