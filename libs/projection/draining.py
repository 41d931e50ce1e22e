"""Folding what was held back, once its cause may be mended.

Held-back events are read from the log, not from their streams: a stream that was deleted or cut
shows fewer events than the views of everybody else have folded. One read serves all streams that
are drained, so that their events come in log order, whatever one of them says about another.

Every transaction moves the place from which a stream is to be folded on, together with the rows:
a process that is killed goes on where it was, and folds nothing twice.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence

from libs.eventstore.port import Batch, EventStore, Filter, RecordedEvent
from libs.projection.folding import Reasons, place
from libs.projection.parking import Books, Key, Parked, ParkedStreams

BATCH = 1024
"""Events of the log that are looked at, and so at most folded, in one transaction."""

_PREFIXES = 32
"""Streams up to which a read is told which ones; beyond that they are picked out here."""


class Draining:
    """The share of events that were held back: each stream's from its own place on."""

    def __init__(
        self,
        by_type: Mapping[str, Sequence[str]],
        streams: ParkedStreams,
        keys: Iterable[Key],
        checkpoint: int,
    ) -> None:
        """Drain the streams of ``keys`` up to ``checkpoint``."""
        self._by_type, self._parked = by_type, streams
        self.keys = set(keys)
        """What is being drained; whatever fails again is taken out."""
        self.checkpoint = checkpoint
        self._resume = min((streams[key].resume for key in self.keys), default=checkpoint + 1)

    def position(self, _: Sequence[RecordedEvent]) -> int:
        """The checkpoint stays where it is."""
        return self.checkpoint

    def is_all(self, _: Sequence[RecordedEvent]) -> bool:
        """Only what was held back is folded."""
        return False

    def views(self, event: RecordedEvent) -> Sequence[str]:
        """The views that still wait for it."""
        return [
            view
            for view in self._by_type.get(event.type, ())
            if (view, event.stream) in self.keys
            and self._parked[view, event.stream].resume <= event.position
        ]

    def books(self, events: Sequence[RecordedEvent], failed: Reasons) -> Books:
        """A stream's place moves on with what is folded; one that fails again is parked there."""
        books: dict[Key, Parked | None] = {}
        for event in events:
            for view in self.views(event):
                row = books.get((view, event.stream)) or self._parked[view, event.stream]
                if view in failed:
                    books[row.key] = place(view, event, failed[view], row.held)
                else:
                    moved = row._replace(resume=event.position + 1, held=row.held - 1)
                    books[row.key] = moved
        return books

    def parked(self, keys: Iterable[Key]) -> None:
        """Drain these no further."""
        self.keys.difference_update(keys)

    async def events(self, store: EventStore) -> AsyncIterator[list[RecordedEvent]]:
        """Read on in the log, up to the checkpoint, and answer what was held back."""
        streams = {stream for _, stream in self.keys}
        prefixes = tuple(sorted(streams)) if len(streams) <= _PREFIXES else ()
        views = {view for view, _ in self.keys}
        types = {name for name, takers in self._by_type.items() if views & set(takers)}
        if not streams or self._resume > self.checkpoint:
            return
        log = store.read_all(
            start=self._resume, filter=Filter(frozenset(types), prefixes), batch=BATCH
        )
        try:
            async for batch in log:
                if held := self._held(batch, streams):
                    yield held
                self._resume = min(batch.position, self.checkpoint) + 1
                if self._resume > self.checkpoint:
                    return
        finally:
            if isinstance(log, AsyncGenerator):
                await log.aclose()

    def _held(self, batch: Batch, streams: set[str]) -> list[RecordedEvent]:
        return [
            event
            for event in batch.events
            if event.stream in streams and event.position <= self.checkpoint
        ]
