"""Stores that break one promise each: the suite must find every one of them out."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import uuid4

from libs.eventstore.port import (
    Append,
    Appended,
    Batch,
    EventStore,
    Expected,
    ExpectedState,
    Filter,
    NewEvent,
    StoreError,
    StreamMetadata,
)


class Honest:
    """A store that passes every call on: what the broken ones break is theirs alone."""

    def __init__(self, store: EventStore) -> None:
        self.store = store

    async def append(
        self, stream: str, events: Sequence[NewEvent], expected: ExpectedState
    ) -> Appended:
        return await self.store.append(stream, events, expected)

    async def append_batch(self, appends: Sequence[Append]) -> list[Appended | StoreError]:
        return await self.store.append_batch(appends)

    def read_stream(self, stream: str, **how: Any) -> AsyncIterator[Batch]:
        return self.pass_on(self.store.read_stream(stream, **how))

    def read_all(self, **how: Any) -> AsyncIterator[Batch]:
        return self.pass_on(self.store.read_all(**how))

    def subscribe(self, **how: Any) -> AsyncIterator[Batch]:
        return self.pass_on(self.store.subscribe(**how))

    async def pass_on(self, batches: AsyncIterator[Batch]) -> AsyncIterator[Batch]:
        async for batch in batches:
            yield batch

    async def head(self) -> int:
        return await self.store.head()

    async def delete(self, stream: str, expected: ExpectedState) -> None:
        await self.store.delete(stream, expected)

    async def tombstone(self, stream: str, expected: ExpectedState) -> None:
        await self.store.tombstone(stream, expected)

    async def get_stream_metadata(self, stream: str) -> StreamMetadata:
        return await self.store.get_stream_metadata(stream)

    async def set_stream_metadata(self, stream: str, metadata: StreamMetadata) -> None:
        await self.store.set_stream_metadata(stream, metadata)

    async def close(self) -> None:
        await self.store.close()


class SkipsAnEventNowAndThen(Honest):
    """Leaves every seventh event out of what it hands over."""

    async def pass_on(self, batches: AsyncIterator[Batch]) -> AsyncIterator[Batch]:
        numbers = count(1)
        async for batch in batches:
            kept = [event for event in batch.events if next(numbers) % 7]
            yield Batch(kept, batch.position, batch.caught_up)


class AnswersBeforeItWrites(Honest):
    """Acknowledges every third append, and loses it."""

    def __init__(self, store: EventStore) -> None:
        super().__init__(store)
        self.appends = count(1)

    async def append(
        self, stream: str, events: Sequence[NewEvent], expected: ExpectedState
    ) -> Appended:
        if next(self.appends) % 3:
            return await super().append(stream, events, expected)
        there = await self.store.append(stream, [], Expected.ANY)
        return Appended(there.revision + len(events), await self.head() + len(events))


class TearsAppends(Honest):
    """Writes an append of several events in two, so that others come in between."""

    async def append(
        self, stream: str, events: Sequence[NewEvent], expected: ExpectedState
    ) -> Appended:
        if len(events) > 1 and isinstance(expected, Expected):
            first = await super().append(stream, events[:1], expected)
            return await super().append(stream, events[1:], first.revision)
        return await super().append(stream, events, expected)


class ReordersABatch(Honest):
    """Hands over the events of a subscription's batch in no order."""

    def subscribe(self, **how: Any) -> AsyncIterator[Batch]:
        return self.shuffle(self.store.subscribe(**how))

    async def shuffle(self, batches: AsyncIterator[Batch]) -> AsyncIterator[Batch]:
        async for batch in batches:
            yield Batch([*batch.events[1:], *batch.events[:1]], batch.position, batch.caught_up)


class IgnoresTheExpectedRevision(Honest):
    """Appends wherever the stream is."""

    async def append(
        self, stream: str, events: Sequence[NewEvent], expected: ExpectedState
    ) -> Appended:
        del expected
        return await super().append(stream, events, Expected.ANY)


class LetsTwoWritersWin(Honest):
    """Tries a refused exact revision once more, where the stream is now."""

    async def append(
        self, stream: str, events: Sequence[NewEvent], expected: ExpectedState
    ) -> Appended:
        try:
            return await super().append(stream, events, expected)
        except StoreError:
            return await super().append(stream, events, Expected.EXISTS)


class RedeliversAfterACheckpoint(Honest):
    """Begins a subscription at its checkpoint, not after it."""

    def subscribe(self, *, after: int | None = None, **how: Any) -> AsyncIterator[Batch]:
        return super().subscribe(after=max((after or 0) - 1, 0), **how)


class CheckpointsTooFar(Honest):
    """Says in each batch of a subscription that it has looked as far as the log goes."""

    def subscribe(self, **how: Any) -> AsyncIterator[Batch]:
        return self.run_ahead(self.store.subscribe(**how))

    async def run_ahead(self, batches: AsyncIterator[Batch]) -> AsyncIterator[Batch]:
        async for batch in batches:
            yield Batch(batch.events, await self.head(), batch.caught_up)


class KeepsCheckpointsToItself(Honest):
    """Says nothing of spans in which nothing matched."""

    async def pass_on(self, batches: AsyncIterator[Batch]) -> AsyncIterator[Batch]:
        async for batch in batches:
            if batch.events:
                yield batch


class ForgetsWhatItHasSeen(Honest):
    """Writes a repeated append again, under new ids."""

    async def append(
        self, stream: str, events: Sequence[NewEvent], expected: ExpectedState
    ) -> Appended:
        answer = await super().append(stream, events, expected)
        if not answer.repeated:
            return answer
        anew = [NewEvent(uuid4(), event.type, event.data, event.metadata) for event in events]
        return await super().append(stream, anew, Expected.ANY)


class FailsABatchTogether(Honest):
    """Answers every part of a bulk append with the error of one."""

    async def append_batch(self, appends: Sequence[Append]) -> list[Appended | StoreError]:
        answers = await super().append_batch(appends)
        errors = [answer for answer in answers if isinstance(answer, StoreError)]
        return [errors[0]] * len(answers) if errors else answers


class FoldsCase(Honest):
    """Compares prefixes without regard to case, as LIKE does."""

    def read_all(self, *, filter: Filter = Filter(), **how: Any) -> AsyncIterator[Batch]:  # noqa: A002, B008 (it is frozen)
        return self.fold(filter, self.store.read_all(**how))

    async def fold(self, wanted: Filter, batches: AsyncIterator[Batch]) -> AsyncIterator[Batch]:
        beginnings = tuple(prefix.lower() for prefix in wanted.prefixes) or ""
        async for batch in batches:
            kept = [e for e in batch.events if e.stream.lower().startswith(beginnings)]
            yield Batch(kept, batch.position, batch.caught_up)


class ForgetsToDelete(Honest):
    """Answers a delete and goes on showing the stream."""

    async def delete(self, stream: str, expected: ExpectedState) -> None:
        await super().append(stream, [], expected)


class TombstonesSoftly(Honest):
    """Deletes a stream that should end for ever."""

    async def tombstone(self, stream: str, expected: ExpectedState) -> None:
        await super().delete(stream, expected)


class IgnoresMetadata(Honest):
    """Keeps a stream's metadata in mind, and shows all of the stream."""

    def __init__(self, store: EventStore) -> None:
        super().__init__(store)
        self.metadata: dict[str, StreamMetadata] = {}

    async def get_stream_metadata(self, stream: str) -> StreamMetadata:
        return self.metadata.get(stream, StreamMetadata())

    async def set_stream_metadata(self, stream: str, metadata: StreamMetadata) -> None:
        self.metadata[stream] = metadata


class ShowsItsOwnEvents(Honest):
    """Hands over the store's own events to whoever asks for all."""

    def read_all(self, *, filter: Filter = Filter(), **how: Any) -> AsyncIterator[Batch]:  # noqa: A002, B008 (it is frozen)
        return super().read_all(filter=replace(filter, system=True), **how)

    def subscribe(self, *, filter: Filter = Filter(), **how: Any) -> AsyncIterator[Batch]:  # noqa: A002, B008 (it is frozen)
        return super().subscribe(filter=replace(filter, system=True), **how)


class GovernsByTheLastWord(Honest):
    """Lets metadata be replaced by whoever comes, wherever the metastream is."""

    async def append(
        self, stream: str, events: Sequence[NewEvent], expected: ExpectedState
    ) -> Appended:
        anywhere = stream.startswith("$$")
        return await super().append(stream, events, Expected.ANY if anywhere else expected)


FAULTS: dict[type[Honest], tuple[str, ...]] = {
    SkipsAnEventNowAndThen: (
        "check_stream_is_read_in_batches",
        "check_log_keeps_the_order_of_appends",
        "check_live_events_follow_history",
        "check_history_comes_first",
        "check_slow_consumer_misses_nothing",
    ),
    AnswersBeforeItWrites: (
        "check_log_keeps_the_order_of_appends",
        "check_stream_names_are_exact",
        "check_time_is_recorded_and_never_decreases",
    ),
    TearsAppends: ("check_concurrent_appends_all_get_their_place",),
    ReordersABatch: (
        "check_history_comes_first",
        "check_all_subscribers_see_the_order_of_the_log",
        "check_every_checkpoint_resumes_exactly",
    ),
    IgnoresTheExpectedRevision: (
        "check_exact_revision_is_kept",
        "check_no_stream_is_kept",
        "check_exists_is_kept",
        "check_conflict_writes_nothing",
    ),
    LetsTwoWritersWin: ("check_one_writer_wins_each_revision", "check_exact_revision_is_kept"),
    RedeliversAfterACheckpoint: (
        "check_subscription_begins_after_its_position",
        "check_every_checkpoint_resumes_exactly",
        "check_subscription_says_when_it_has_caught_up",
    ),
    CheckpointsTooFar: ("check_every_checkpoint_resumes_exactly",),
    KeepsCheckpointsToItself: (
        "check_spans_without_a_match_are_checkpointed",
        "check_subscription_says_when_it_has_caught_up",
        "check_log_read_without_a_match_catches_up",
    ),
    ForgetsWhatItHasSeen: (
        "check_repeat_at_an_exact_revision",
        "check_repeat_of_a_beginning",
        "check_repeat_without_expectation",
        "check_repeat_where_a_stream_exists",
        "check_append_after_delete_may_be_repeated",
    ),
    FailsABatchTogether: ("check_parts_stand_alone",),
    FoldsCase: ("check_prefixes_match_exactly",),
    ForgetsToDelete: (
        "check_deleted_stream_is_not_found",
        "check_append_after_delete_goes_on",
        "check_deleted_stream_does_not_exist",
    ),
    TombstonesSoftly: ("check_tombstone_is_for_ever", "check_tombstone_may_come_first"),
    IgnoresMetadata: (
        "check_max_count_shows_the_newest",
        "check_truncate_before_hides_the_older",
        "check_max_age_hides_the_old",
        "check_the_strictest_bound_counts",
        "check_stream_may_show_nothing",
        "check_metadata_keeps_its_history",
        "check_metastream_governs",
    ),
    ShowsItsOwnEvents: ("check_readers_see_nothing_of_the_stores_own",),
    GovernsByTheLastWord: ("check_metadata_is_replaced_at_its_revision",),
}
"""The broken stores, and the checks that must each find theirs out."""
