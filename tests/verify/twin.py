"""A store and the model side by side: every answer, refusal and event read must be the same."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import cast

from libs.eventstore.port import (
    Append,
    Appended,
    Batch,
    EventStore,
    Expected,
    ExpectedState,
    Filter,
    StoreError,
    StreamMetadata,
)
from tests.verify.model import Entry, Model
from tests.verify.outcomes import attempt, collect, content, outcome, same_error


class Twin:
    """A store, and the model of what is behind position ``mark`` of its log."""

    def __init__(self, store: EventStore, mark: int, patience: float) -> None:
        """Wait up to ``patience`` seconds for a subscription to come to the end of the log."""
        self.store, self.model, self._mark, self._patience = store, Model(), mark, patience
        self._governed = mark

    # Writing

    async def append(self, one: Append) -> None:
        """Append on both sides."""
        answer = await outcome(self.store.append(one.stream, one.events, one.expected))
        self._appended(one, answer)

    async def append_batch(self, appends: Sequence[Append]) -> None:
        """Append in bulk: parts for one stream in their order, others as the store has it."""
        answers = await self.store.append_batch(appends)
        before = len(self.model.log)
        assert len(answers) == len(appends)
        for one, answer in zip(appends, answers, strict=True):
            self._appended(one, answer)
        self._arrange(before)

    async def append_at_once(self, appends: Sequence[Append]) -> None:
        """Append concurrently: what came first is told by the positions."""
        calls = [outcome(self.store.append(a.stream, a.events, a.expected)) for a in appends]
        answers = await asyncio.gather(*calls)
        before = len(self.model.log)
        places = [getattr(answer, "position", 0) for answer in answers]
        for _, one, answer in sorted(
            zip(places, appends, answers, strict=True), key=lambda p: p[0]
        ):
            self._appended(one, answer)
        self._arrange(before)

    def _appended(self, one: Append, answer: Appended | StoreError) -> None:
        """Hold an answer against the model's."""
        stream = self.model.streams.get(one.stream)
        expected = attempt(lambda: self.model.append(one.stream, one.events, one.expected))
        if isinstance(expected, StoreError) or isinstance(answer, StoreError):
            same_error(answer, expected)
            return
        entries, repeated = expected
        if not entries:
            there = stream is not None and stream.meets(Expected.EXISTS)
            revision = stream.revision if stream and there else -1
            assert answer.revision == revision, answer
            return
        assert (answer.revision, answer.repeated) == (entries[-1].revision, repeated), answer
        self._place(entries[-1], answer.position)

    def _arrange(self, before: int) -> None:
        """Put what was appended together into the order of the log."""
        new, place = self.model.log[before:], 0
        places: dict[int, int] = {}
        for entry in reversed(new):  # an append ends with an event whose position is known
            place = place if entry.position is None else entry.position
            places[id(entry)] = place
        new.sort(key=lambda entry: places[id(entry)])
        self.model.log[before:] = new
        for stream in {entry.stream for entry in new}:
            revisions = [entry.revision for entry in new if entry.stream == stream]
            assert revisions == sorted(revisions), f"{stream}: {revisions}"

    async def delete(self, stream: str, expected: ExpectedState) -> None:
        """Delete on both sides."""
        answer = await outcome(self.store.delete(stream, expected))
        same_error(answer, attempt(lambda: self.model.delete(stream, expected)))

    async def tombstone(self, stream: str, expected: ExpectedState) -> None:
        """Tombstone on both sides."""
        answer = await outcome(self.store.tombstone(stream, expected))
        same_error(answer, attempt(lambda: self.model.tombstone(stream, expected)))

    async def set_metadata(self, stream: str, metadata: StreamMetadata) -> None:
        """Set metadata on both sides: the store's log grows by an event of its own."""
        answer, before = await outcome(self.store.set_stream_metadata(stream, metadata)), self.head
        same_error(answer, attempt(lambda: self.model.set_metadata(stream, metadata)))
        if not isinstance(answer, StoreError):
            self._governed = await self.store.head()
            assert self._governed > before

    # Reading

    async def get_metadata(self, stream: str) -> None:
        """Compare a stream's metadata."""
        answer = await outcome(self.store.get_stream_metadata(stream))
        expected = attempt(lambda: self.model.stream(stream).metadata)
        if not isinstance(expected, StoreError):
            assert answer == expected
        else:
            same_error(answer, expected)

    async def read_stream(
        self, stream: str, start: int | None, *, backwards: bool, limit: int | None, size: int
    ) -> None:
        """Compare a read of a stream, event for event."""
        batches = self.store.read_stream(
            stream, start=start, backwards=backwards, limit=limit, batch=size
        )
        answer = await outcome(collect(batches))
        expected = attempt(
            lambda: self.model.read_stream(stream, start, backwards=backwards, limit=limit)
        )
        if isinstance(answer, StoreError) or isinstance(expected, StoreError):
            same_error(answer, expected)
            return
        for batch in answer:
            assert 1 <= len(batch.events) <= size
            assert batch.position == batch.events[-1].position
        self._same_events(answer, expected)

    async def read_log(
        self, wanted: Filter, index: int | None, *, backwards: bool, limit: int | None, size: int
    ) -> None:
        """Compare a read of the log from the event with this index on, or from its end."""
        log = self.model.log
        start = None if index is None else log[index].position
        if index is not None and start is not None:
            log = log[: index + 1] if backwards else log[index:]
        elif not backwards:
            start = self._mark + 1
        expected = self.model.read_log(wanted, log[::-1] if backwards else log)[:limit]
        if backwards and self._mark:
            limit = len(expected)  # what is further down is not ours
        if limit == 0:
            return
        batches = await collect(
            self.store.read_all(
                start=start, backwards=backwards, limit=limit, filter=wanted, batch=size
            )
        )
        self._same_events(batches, expected)
        ended = limit is None or len(expected) < limit
        assert batches or not ended, "a read that finds nothing says how far it looked"
        assert [batch.caught_up for batch in batches[:-1]] == [False] * (len(batches) - 1)
        assert not ended or batches[-1].caught_up
        for batch in batches:
            assert len(batch.events) <= size
            if batch.events and not backwards:
                assert batch.position >= batch.events[-1].position

    async def follow(
        self, wanted: Filter, after: int | None, consumed: int, *, batches: int, size: int
    ) -> tuple[int, int]:
        """Compare what comes after a checkpoint with what there is; answer the next checkpoint.

        The subscription is left after so many ``batches``, or at the end of the log.
        """
        expected, head = self.model.read_log(wanted, self.model.log)[consumed:], self.head
        seen: list[Batch] = []
        subscription = self.store.subscribe(
            after=self._mark if after is None else after, filter=wanted, batch=size
        )
        generator = cast("AsyncGenerator[Batch, None]", subscription)
        async with asyncio.timeout(self._patience), aclosing(generator):
            async for batch in generator:
                assert len(batch.events) <= size
                seen.append(batch)
                if len(seen) == batches or (batch.caught_up and batch.position >= head):
                    break
        count = sum(len(batch.events) for batch in seen)
        if seen[-1].position >= head:
            assert count == len(expected), f"{count} events of {len(expected)}"
        self._same_events(seen, expected[:count])
        return seen[-1].position, consumed + count

    @property
    def head(self) -> int:
        """Where the log ends, be it with an event or with what governs a stream."""
        last = self.model.log[-1].position if self.model.log else None
        return max(last or 0, self._governed)

    def _same_events(self, batches: Sequence[Batch], expected: Sequence[Entry]) -> None:
        events = [event for batch in batches for event in batch.events]
        assert [content(event) for event in events] == [
            (e.event.id, e.event.type, e.event.data, e.event.metadata, e.stream, e.revision)
            for e in expected
        ]
        for entry, event in zip(expected, events, strict=True):
            self._place(entry, event.position)
        positions = [entry.position for entry in self.model.log if entry.position is not None]
        assert positions == sorted(set(positions)), positions

    @staticmethod
    def _place(entry: Entry, position: int) -> None:
        assert entry.position in (None, position), f"{entry} moved to {position}"
        entry.position = position
