"""A thing's history, folded: its state, where it stands, and which requests it has answered."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from uuid import UUID

from libs.contract.codec import Codec
from libs.contract.metadata import Metadata
from libs.decider.aggregate import Aggregate
from libs.eventstore.port import EventStore, RecordedEvent, StreamNotFound

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that this history has answered: what it said, and where its events end."""

    fingerprint: str
    revision: int
    position: int


@dataclass(slots=True)
class History(Generic[S]):
    """``state`` after the event at ``revision`` (-1: nothing happened yet)."""

    state: S
    revision: int = -1
    position: int = 0
    answered: dict[UUID, Answered] = field(default_factory=dict)

    def fold(self, aggregate: Aggregate[S], codec: Codec, event: RecordedEvent) -> None:
        """Move on by one event."""
        self.state = aggregate.evolve(self.state, codec.decode(event))
        self.revision, self.position = event.revision, event.position
        metadata = Metadata.load(event.metadata)
        if metadata is not None:
            self.answered[metadata.request_id] = Answered(
                metadata.fingerprint, event.revision, event.position
            )


class Histories:
    """Reads histories, and keeps the most recent so that only what is new must be read."""

    def __init__(self, store: EventStore, codec: Codec, capacity: int = 10_000) -> None:
        """Keep at most ``capacity`` histories in memory."""
        self._store, self._codec, self._capacity = store, codec, capacity
        self._kept: OrderedDict[str, History[object]] = OrderedDict()

    def cached(self, _: Aggregate[S], stream: str) -> "History[S] | None":
        """Answer what is in memory of a stream of this aggregate; it may be behind the log."""
        history = self._kept.get(stream)
        if history is not None:
            self._kept.move_to_end(stream)
        return history  # type: ignore[return-value]

    def keep(self, stream: str, history: History[S]) -> None:
        """Remember ``history``, and forget the one that was used least recently."""
        self._kept[stream] = history  # type: ignore[assignment]
        self._kept.move_to_end(stream)
        if len(self._kept) > self._capacity:
            self._kept.popitem(last=False)

    def forget(self, stream: str) -> None:
        """Let go of a history that turned out to be behind."""
        self._kept.pop(stream, None)

    async def read(
        self, aggregate: Aggregate[S], stream: str, *, until: int | None = None
    ) -> History[S]:
        """Read a history as the log has it now, or as it was after revision ``until``."""
        history = None if until is not None else self.cached(aggregate, stream)
        if history is None:
            history = History(aggregate.initial)
        else:  # a copy: others may be deciding on the one that is kept
            history = History(
                history.state, history.revision, history.position, dict(history.answered)
            )
        start = history.revision + 1
        limit = None if until is None else until + 1
        try:
            async for batch in self._store.read_stream(stream, start=start, limit=limit):
                for event in batch.events:
                    history.fold(aggregate, self._codec, event)
        except StreamNotFound:
            self.forget(stream)
            return History(aggregate.initial)
        if until is None:
            self.keep(stream, history)
        return history
