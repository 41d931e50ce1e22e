"""Folds events into views, in transactions that hold whatever happens; parks what cannot be folded.

Events are folded many at a time. When that fails because of an event, the transaction is rolled
back and its events are tried again in halves, each half a transaction of its own, until the one
event is found. It is folded into all views that can, and its stream is parked for those that
cannot, in one transaction (not every engine has savepoints, so that a view's failure undoes all).

What fails because of an outage is not the event's fault and parks nothing: it is raised, and the
same events are folded again later. Blamed on an event is only what its decoding or a view's fold
raises, and of that neither MemoryError nor OSError (a disk, a socket) nor StoreError, nor what
the engine says is an outage of its own (`Database.is_outage`). An error of begin, commit or
rollback is never the event's.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from google.protobuf.message import Message

from libs.contract.codec import Codec
from libs.eventstore.port import RecordedEvent, StoreError
from libs.projection.database import Connection, Database, Fact
from libs.projection.following import said
from libs.projection.parking import Books, Key, Parked, ParkedStreams
from libs.projection.view import View, is_by_stream

C = TypeVar("C", bound=Connection)
log = logging.getLogger(__name__)

Reasons = Mapping[str, str]
"""Why views cannot fold an event, by their names."""

_NONE: Reasons = {}


class Unfoldable(Exception):
    """Some of the events of a transaction cannot be folded; ``view`` is empty: cannot be read."""

    def __init__(self, view: str, error: Exception) -> None:
        super().__init__(f"{view or 'codec'}: {said(error)}")
        self.view, self.reason = view, said(error)


class Share(Protocol):
    """Which events are folded into which views, and what that does to parked streams."""

    def position(self, events: Sequence[RecordedEvent]) -> int:
        """Answer the checkpoint after a transaction that folds ``events``."""
        ...

    def is_all(self, events: Sequence[RecordedEvent]) -> bool:
        """Say whether every view takes every one of ``events`` that it handles."""
        ...

    def views(self, event: RecordedEvent) -> Sequence[str]:
        """Answer the names of the views that take ``event``."""
        ...

    def books(self, events: Sequence[RecordedEvent], failed: Reasons) -> Books:
        """Answer what becomes of parked streams; ``failed`` views cannot fold the one event."""
        ...

    def parked(self, keys: Iterable[Key]) -> None:
        """Note that these were parked, as their events could not be folded."""
        ...


class Folder(Generic[C]):
    """Folds into the views of one database, and keeps the books of what is parked."""

    def __init__(self, codec: Codec, database: Database[C], views: Sequence[View[C]]) -> None:
        """Fold into ``views``, kept in ``database`` (which is open)."""
        self._codec, self._database, self._views = codec, database, views
        self._joining = {view.name for view in views if not is_by_stream(view)}
        self.read()
        self.by_type: Mapping[str, Sequence[str]] = {
            event.DESCRIPTOR.full_name: [view.name for view in views if event in view.handles]
            for event in frozenset[type[Message]]().union(*(view.handles for view in views))
        }

    async def fold(
        self, events: Sequence[RecordedEvent], share: Share, done: Callable[[int], None]
    ) -> None:
        """Fold ``events``, in as many transactions as it takes; ``done`` is told each checkpoint.

        Raises what is nobody's fault, and TooMuchPoison; what was done before stays done.
        """
        try:
            done(await self._commit(events, share, _NONE))
        except Unfoldable as failure:
            if len(events) == 1:
                done(await self._park(events[0], share, failure))
                return
            half = len(events) // 2
            await self.fold(events[:half], share, done)
            await self.fold(events[half:], share, done)

    def read(self) -> None:
        """Know what is parked in the database, and which views were mended."""
        self.parked = ParkedStreams(self._database.rows("parked"))
        self.mended = {view for (view,) in self._database.rows("mended")}
        """Views whose rows may not be those of a replay."""

    async def release(self, position: int, keys: Iterable[Key]) -> None:
        """Park ``keys`` no more, now that they are folded up to the checkpoint ``position``."""
        books: dict[Key, Parked | None] = dict.fromkeys(keys)
        mended = {view for view, _ in books} & self._joining

        def change(db: C) -> None:
            self.parked.write(db, books)
            self.parked.mend(db, mended - self.mended)

        await self._database.fold(position, (), _fold_none, change)
        self.parked.apply(books)
        self.mended |= mended

    async def _park(self, event: RecordedEvent, share: Share, failure: Unfoldable) -> int:
        """Fold ``event`` where that can be done, and park its stream elsewhere."""
        failed: dict[str, str] = {}
        while True:
            views = [failure.view] if failure.view else share.views(event)
            failed |= dict.fromkeys(views, failure.reason)
            try:
                position = await self._commit([event], share, failed)
            except Unfoldable as another:
                failure = another
                continue
            share.parked([(view, event.stream) for view in failed])
            for view, reason in failed.items():
                log.error(
                    "%s cannot fold %s %s, revision %d of %r at position %d: the stream is parked"
                    " for this view until the cause is mended: %s",
                    view,
                    event.type,
                    event.id,
                    event.revision,
                    event.stream,
                    event.position,
                    reason,
                )
            return position

    async def _commit(self, events: Sequence[RecordedEvent], share: Share, failed: Reasons) -> int:
        """Fold ``events`` and keep the books, in one transaction; answer its checkpoint."""
        position = share.position(events)
        books: Books = {}
        change = self._fold_all
        if failed or not share.is_all(events):
            books = share.books(events, failed)
            self.parked.check(books)

            def change(db: C, events: Sequence[RecordedEvent]) -> None:
                self._fold_some(db, events, share, failed)

        await self._database.fold(position, events, change, lambda db: self.parked.write(db, books))
        self.parked.apply(books)
        return position

    def _fold_all(self, db: C, events: Sequence[RecordedEvent]) -> None:
        """Fold events of which no view holds any back: the way of nearly all events."""
        decode = self._codec.decode
        try:
            facts = [Fact(event, decode(event)) for event in events]
        except Exception as error:
            raise self._blamed("", error) from error
        present = {type(fact.event) for fact in facts}
        for view in self._views:
            if present <= view.handles:
                self._apply(view, db, facts)
            elif present & view.handles:
                mine = [fact for fact in facts if type(fact.event) in view.handles]
                self._apply(view, db, mine)

    def _fold_some(
        self, db: C, events: Sequence[RecordedEvent], share: Share, failed: Reasons
    ) -> None:
        """Fold each event into the views that take it; what nobody takes is not even decoded."""
        facts: dict[str, list[Fact]] = {view.name: [] for view in self._views}
        for event in events:
            views = [view for view in share.views(event) if view not in failed]
            if not views:
                continue
            try:
                fact = Fact(event, self._codec.decode(event))
            except Exception as error:
                raise self._blamed("", error) from error
            for view in views:
                facts[view].append(fact)
        for each in self._views:
            if facts[each.name]:
                self._apply(each, db, facts[each.name])

    def _apply(self, view: View[C], db: C, facts: Sequence[Fact]) -> None:
        try:
            view.fold(db, facts)
        except Exception as error:
            raise self._blamed(view.name, error) from error

    def _blamed(self, view: str, error: Exception) -> Exception:
        """Answer ``error`` as the event's fault, or as it is when it is not."""
        if isinstance(error, MemoryError | OSError | StoreError) or self._database.is_outage(error):
            return error
        return Unfoldable(view, error)


class News:
    """The share of events that are new: all views take them, but of streams that they parked."""

    def __init__(self, by_type: Mapping[str, Sequence[str]], parked: ParkedStreams) -> None:
        self._by_type, self._parked = by_type, parked

    def position(self, events: Sequence[RecordedEvent]) -> int:
        """The checkpoint moves to the last event."""
        return events[-1].position

    def is_all(self, events: Sequence[RecordedEvent]) -> bool:
        """Nearly always: nothing is parked, or nothing of these."""
        return not self._parked or not self._parked.any_of({event.stream for event in events})

    def views(self, event: RecordedEvent) -> Sequence[str]:
        """All that handle it and have not parked its stream."""
        holding = self._parked.of(event.stream)
        views = self._by_type[event.type]
        return [view for view in views if view not in holding] if holding else views

    def books(self, events: Sequence[RecordedEvent], failed: Reasons) -> Books:
        """What is held back is counted; a stream whose event failed is parked."""
        books: dict[Key, Parked | None] = {}
        for event in events:
            holding = self._parked.of(event.stream)
            for view in self._by_type[event.type] if holding else ():
                row = books.get((view, event.stream)) or holding.get(view)
                if row is not None:
                    books[row.key] = row._replace(held=row.held + 1)
        for view, reason in failed.items():
            row = place(view, events[0], reason, held=1)
            books[row.key] = row
        return books

    def parked(self, _: Iterable[Key]) -> None:
        """The books have it."""


def place(view: str, event: RecordedEvent, reason: str, held: int) -> Parked:
    """Answer a stream as it is parked now, because of ``event``."""
    return Parked(
        view,
        event.stream,
        event.position,
        event.revision,
        str(event.id),
        event.type,
        reason,
        time.time_ns() // 1000,
        event.position,
        held,
    )


def _fold_none(_: Any, __: Sequence[RecordedEvent]) -> None:
    """Nothing is folded."""
