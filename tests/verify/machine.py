"""A state machine that does anything to a store, in any order, and to the model beside it.

Each example has streams of its own, so that a server may be shared by all.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from libs.eventstore.port import (
    Append,
    EventStore,
    Expected,
    ExpectedState,
    Filter,
    NewEvent,
    StreamMetadata,
)
from tests.verify.twin import Twin

NAMES = ("a", "A", "a%", "a.b*", "ü-日本 😀", "a/../b")
TYPES = ("Noted", "noted", "Told.v2", "Été")

Content = list[tuple[str, bytes, bytes]]

names = st.sampled_from(NAMES)
expectations = st.sampled_from(
    ("any", "any", "none", "exists", "right", "right", "behind", "ahead")
)
contents = st.lists(
    st.tuples(st.sampled_from(TYPES), st.binary(max_size=12), st.sampled_from((b"", b'{"a":1}'))),
    max_size=4,
)
custom = st.dictionaries(st.sampled_from(("owner", "ü")), st.one_of(st.text(max_size=3), st.none()))
metadata = st.builds(
    StreamMetadata,
    st.none() | st.integers(1, 4),
    st.none() | st.just(3600),
    st.none() | st.integers(0, 6),
    custom,
)
filters = st.tuples(
    st.frozensets(st.sampled_from(TYPES), max_size=2),
    st.lists(st.sampled_from(("", "a", "A", "a%", "ü")), max_size=2),
)
sizes = st.sampled_from((1, 2, 7, 512))
limits = st.none() | st.integers(1, 9)
somewhere = st.none() | st.integers(0, 99)


class StoreMachine(RuleBasedStateMachine):
    """The rules; a subclass says what they are applied to."""

    runner: ClassVar[asyncio.Runner]
    patience: ClassVar[float] = 10.0

    async def open(self, category: str) -> EventStore:
        """Open the store of the example whose streams have this category; perhaps again."""
        raise NotImplementedError

    @initialize()
    def begin(self) -> None:
        """Open the store; what is in its log already is not ours."""
        self.category = f"{uuid4().hex[:12]}-"
        self.sent: list[Append] = []
        self.consumers: dict[Filter, tuple[int | None, int]] = {}

        async def opened() -> Twin:
            store = await self.open(self.category)
            return Twin(store, await store.head(), self.patience)

        self.twin = self.runner.run(opened())

    def teardown(self) -> None:
        """Close the store."""
        if hasattr(self, "twin"):
            self._do(self.twin.store.close())

    @rule(name=names, expects=expectations, content=contents)
    def append(self, name: str, expects: str, content: Content) -> None:
        """Append new events, or none."""
        self._append(self._new(name, expects, content))

    @precondition(lambda self: self.sent)
    @rule(index=st.integers(0, 99))
    def append_again(self, index: int) -> None:
        """Send an append as it was sent before."""
        self._append(self.sent[index % len(self.sent)])

    @precondition(lambda self: self.sent)
    @rule(index=st.integers(0, 99), name=st.none() | names, expects=expectations,
          first=st.integers(0, 2), more=contents)  # fmt: skip
    def append_partly(
        self, index: int, name: str | None, expects: str, first: int, more: Content
    ) -> None:
        """Send known events with others behind them, or to where they are not known."""
        known = self.sent[index % len(self.sent)]
        stream = known.stream if name is None else self.category + name
        new = self._new(stream.removeprefix(self.category), expects, more)
        self._append(Append(stream, [*known.events[first:], *new.events], new.expected))

    @rule(parts=st.lists(st.tuples(names, expectations, contents), max_size=4))
    def append_in_bulk(self, parts: list[tuple[str, str, Content]]) -> None:
        """Append to several streams in one call."""
        appends = [self._new(*part) for part in parts]
        self._do(self.twin.append_batch(appends))
        self.sent += [append for append in appends if append.events]

    @rule(name=names, many=st.lists(contents, min_size=2, max_size=5))
    def append_at_once(self, name: str, many: list[Content]) -> None:
        """Append concurrently to one stream."""
        appends = [self._new(name, "any", content) for content in many if content]
        self._do(self.twin.append_at_once(appends))

    @rule(name=names, expects=expectations)
    def delete(self, name: str, expects: str) -> None:
        """Delete a stream."""
        self._do(self.twin.delete(self.category + name, self._expected(name, expects)))

    @rule(name=st.sampled_from(NAMES[-2:]), expects=expectations)
    def tombstone(self, name: str, expects: str) -> None:
        """End a stream for ever; not all of them, or the rest would be silence."""
        self._do(self.twin.tombstone(self.category + name, self._expected(name, expects)))

    @rule(name=names, wanted=metadata)
    def govern(self, name: str, wanted: StreamMetadata) -> None:
        """Set a stream's metadata."""
        self._do(self.twin.set_metadata(self.category + name, wanted))

    @rule(name=names)
    def get_metadata(self, name: str) -> None:
        """Read a stream's metadata."""
        self._do(self.twin.get_metadata(self.category + name))

    @rule(name=names, start=somewhere, backwards=st.booleans(), limit=limits, size=sizes)
    def read_stream(
        self, name: str, start: int | None, backwards: bool, limit: int | None, size: int
    ) -> None:
        """Read a stream from a revision on, or from either end."""
        revision = None if start is None else start % 12
        stream = self.category + name
        read = self.twin.read_stream
        self._do(read(stream, revision, backwards=backwards, limit=limit, size=size))

    @rule(found=filters, start=somewhere, backwards=st.booleans(), limit=limits, size=sizes)
    def read_log(
        self, found: tuple[frozenset[str], list[str]], start: int | None, backwards: bool,
        limit: int | None, size: int,
    ) -> None:  # fmt: skip
        """Read the log from an event on, or from either end."""
        log = self.twin.model.log
        index = start % len(log) if log and start is not None else None
        read = self.twin.read_log
        self._do(read(self._filter(found), index, backwards=backwards, limit=limit, size=size))

    @rule(found=filters, batches=st.sampled_from((1, 2, 99)), size=sizes)
    def follow(self, found: tuple[frozenset[str], list[str]], batches: int, size: int) -> None:
        """Follow the log for a while, from where the same consumer was the last time."""
        wanted = self._filter(found)
        after, consumed = self.consumers.get(wanted, (None, 0))
        follow = self.twin.follow(wanted, after, consumed, batches=batches, size=size)
        self.consumers[wanted] = self._do(follow)

    @invariant()
    def head_is_the_last_event(self) -> None:
        """The head is where the last event stands."""
        assert self._do(self.twin.store.head()) == self.twin.head

    @rule()
    def reopen(self) -> None:
        """Close the store and open it again: nothing depends on what was in memory."""

        async def reopened() -> EventStore:
            await self.twin.store.close()
            return await self.open(self.category)

        self.twin.store = self._do(reopened())

    def _append(self, append: Append) -> None:
        self._do(self.twin.append(append))
        if append.events:
            self.sent.append(append)

    def _new(self, name: str, expects: str, content: Content) -> Append:
        events = [NewEvent(uuid4(), *each) for each in content]
        return Append(self.category + name, events, self._expected(name, expects))

    def _expected(self, name: str, expects: str) -> ExpectedState:
        stream = self.twin.model.streams.get(self.category + name)
        revision = stream.revision if stream else -1
        match expects:
            case "any":
                return Expected.ANY
            case "exists":
                return Expected.EXISTS
            case "right" if revision >= 0:
                return revision
            case "behind" if revision >= 1:
                return revision - 1
            case "ahead":
                return revision + 2
        return Expected.NO_STREAM

    def _filter(self, found: tuple[frozenset[str], list[str]]) -> Filter:
        types, prefixes = found
        return Filter(types, tuple(self.category + prefix for prefix in prefixes))

    def _do(self, call: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(call)
