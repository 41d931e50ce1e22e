"""Poison for views: events that cannot be read or folded until they are healed; a log in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

from equiloop.feedback.v1 import events_pb2 as events
from google.protobuf.message import DecodeError, Message

from libs.contract.codec import Codec
from libs.eventstore.port import Batch, EventStore, Filter, RecordedEvent
from libs.projection import Database, Fact, Projection
from libs.projection.duck import DuckDatabase
from libs.projection.sqlite import SqliteDatabase
from tests.specs.feedback.facts import coded
from tests.specs.given import NOW

Engine = Callable[[Path], Database[Any]]
ENGINES: Sequence[Engine] = (SqliteDatabase, DuckDatabase)
Rows = dict[str, Sequence[tuple[Any, ...]]]
UNREADABLE = "codec"


class Poison:
    """Which events cannot be dealt with by whom: a view's name, or the codec's."""

    def __init__(self) -> None:
        self.sick: dict[str, set[UUID]] = {}
        self.folded = 0

    def plant(self, event: RecordedEvent, *where: str) -> None:
        """Have ``event`` fail there."""
        for each in where:
            self.sick.setdefault(each, set()).add(event.id)

    def heal(self, *gone: RecordedEvent) -> None:
        """Have these events fail nowhere; all, if none is named."""
        for sick in self.sick.values():
            sick.difference_update({event.id for event in gone} if gone else set(sick))

    def strikes(self, where: str, event: RecordedEvent) -> bool:
        """Say whether ``event`` fails there."""
        return event.id in self.sick.get(where, ())


class Guarded(Codec):
    """The codec, but for events that are unreadable."""

    def __init__(self, poison: Poison) -> None:
        super().__init__(events)
        self._poison = poison

    def decode(self, event: RecordedEvent) -> Message:
        if self._poison.strikes(UNREADABLE, event):
            raise DecodeError("broken bytes")
        return super().decode(event)


class Tally:
    """Numbers the events of each stream as they are folded.

    What is skipped, doubled or out of order shows in the rows. It changes rows before it fails.
    """

    version = 1
    by_stream = True
    handles: frozenset[type[Message]] = frozenset({events.FeedbackCoded})

    def __init__(self, name: str, poison: Poison, error: Callable[[], Exception]) -> None:
        self.name, self._poison, self._error = name, poison, error
        self.tables = (name,)
        columns = "stream VARCHAR NOT NULL, number BIGINT NOT NULL, position BIGINT NOT NULL"
        self.schema = f"CREATE TABLE IF NOT EXISTS {name} ({columns})"

    def fold(self, db: Any, facts: Sequence[Fact]) -> None:
        for fact in facts:
            stream, position = fact.recorded.stream, fact.recorded.position
            count = f"SELECT count(*) FROM {self.name} WHERE stream = ?"
            (number,) = db.execute(count, [stream]).fetchone()
            db.execute(f"INSERT INTO {self.name} VALUES (?, ?, ?)", [stream, number, position])
            if self._poison.strikes(self.name, fact.recorded):
                raise self._error()


class Joining(Tally):
    """Numbers all events together: what comes later than in the log has another number."""

    by_stream = False

    def fold(self, db: Any, facts: Sequence[Fact]) -> None:
        for fact in facts:
            (number,) = db.execute(f"SELECT count(*) FROM {self.name}").fetchone()
            row = [fact.recorded.stream, number, fact.recorded.position]
            db.execute(f"INSERT INTO {self.name} VALUES (?, ?, ?)", row)
            if self._poison.strikes(self.name, fact.recorded):
                raise self._error()


class MemoryLog:
    """As much of a store as a projection asks for, over a list; positions have gaps."""

    def __init__(self) -> None:
        self.events: list[RecordedEvent] = []
        self._revisions: dict[str, int] = {}
        self._grown = asyncio.Event()

    def add(self, stream: str) -> RecordedEvent:
        """Append an event to ``stream``."""
        event = coded(stream, "theme")
        revision = self._revisions.get(stream, -1) + 1
        self._revisions[stream] = revision
        recorded = RecordedEvent(
            uuid4(),
            event.DESCRIPTOR.full_name,
            event.SerializeToString(),
            b"",
            stream,
            revision,
            3 * len(self.events) + 2,
            NOW + timedelta(seconds=len(self.events)),
        )
        self.events.append(recorded)
        self._grown.set()
        return recorded

    async def head(self) -> int:
        return self.events[-1].position if self.events else 0

    async def subscribe(
        self,
        *,
        after: int | None = None,
        filter: Filter = Filter(),  # noqa: A002, B008
        batch: int = 512,  # noqa: ARG002 - the port's
    ) -> AsyncIterator[Batch]:
        seen = after or 0
        while True:
            self._grown.clear()
            news = [event for event in self.events if event.position > seen]
            seen = max(seen, await self.head())
            yield Batch(_wanted(news, filter), seen, caught_up=True)
            await self._grown.wait()

    async def read_all(
        self,
        *,
        start: int | None = None,
        filter: Filter = Filter(),  # noqa: A002, B008
        batch: int = 512,  # noqa: ARG002 - the port's
    ) -> AsyncIterator[Batch]:
        found = [event for event in self.events if event.position >= (start or 0)]
        for at in range(0, len(found), 3):  # in small batches, so that a crash finds it midway
            some = found[at : at + 3]
            yield Batch(_wanted(some, filter), some[-1].position)
        yield Batch((), await self.head(), caught_up=True)


def _wanted(found: Iterable[RecordedEvent], filter: Filter) -> list[RecordedEvent]:  # noqa: A002
    prefixes = filter.prefixes or ("",)
    return [
        event for event in found if event.type in filter.types and event.stream.startswith(prefixes)
    ]


class Killed(BaseException):
    """The process is gone."""


class Mortal:
    """A database that dies in its n-th transaction: before it is committed, or right after."""

    def __init__(self, database: Database[Any]) -> None:
        self._database = database
        self.left: int | None = None
        self.after = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def fold(self, position: int, events: Any, change: Any, finish: Any) -> None:
        if self.left == 0:

            def die(db: Any) -> None:
                finish(db)
                raise Killed

            if self.after:
                await self._database.fold(position, events, change, finish)
                raise Killed
            await self._database.fold(position, events, change, die)
        self.left = None if self.left is None else self.left - 1
        await self._database.fold(position, events, change, finish)


class Scene:
    """Two views over a log, in a database of either kind; started and killed as one likes."""

    VIEWS = ("one", "two")

    def __init__(self, engine: Engine, folder: Path, store: Any = None) -> None:
        self.poison, self.log = Poison(), MemoryLog()
        self.store = cast("EventStore", store or self.log)
        self._engine, self._folder = engine, folder
        self.error: Callable[[], Exception] = lambda: ValueError("poison")
        self.kind = Tally
        self.start()

    def start(self) -> None:
        """Open the database and make a projection of it."""
        self.mortal = Mortal(self._engine(self._folder / "live"))
        self.live = self._projection(self.mortal)

    def views(self) -> list[Tally]:
        return [self.kind(name, self.poison, self._fail) for name in self.VIEWS]

    def _fail(self) -> Exception:
        return self.error()

    def _projection(self, database: Any) -> Projection[Any]:
        return Projection(self.store, Guarded(self.poison), database, self.views())

    async def catch_up(self) -> None:
        """Fold the log as it now is."""
        await self.live.catch_up(await self.store.head())

    async def restart(self) -> None:
        """Let the projection go and make it anew from its file."""
        await self.live.close()
        self.start()

    def rows(self) -> Rows:
        """All rows of all views."""
        return {name: self.live.database.rows(name) for name in self.VIEWS}

    async def whole(self) -> Rows:
        """All rows that a log without poison makes."""
        sick, self.poison.sick = self.poison.sick, {}
        database = self._engine(self._folder / f"fresh-{uuid4()}")
        fresh = self._projection(database)
        await fresh.catch_up(await self.store.head())
        rows = {name: database.rows(name) for name in self.VIEWS}
        await fresh.close()
        self.poison.sick = sick
        return rows

    def parked(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Position and number of events held back, by view and stream; as the file has it."""
        rows = self.live.database.rows("parked")
        assert sorted(rows) == sorted(map(tuple, self.live.parked))
        return {row.key: (row.position, row.held) for row in self.live.parked}
