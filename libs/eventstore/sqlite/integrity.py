"""Examining a log: does the file hold together, and does the log keep what it promises?

SQLite looks at its own structures; the rest is read in a few passes along the table and its
indexes, in memory that does not grow with the log.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from libs.eventstore.port import MAX_STREAM_NAME, StoreCorrupt
from libs.eventstore.sqlite.advice import explained
from libs.eventstore.sqlite.file import TABLES
from libs.eventstore.sqlite.ledger import State
from libs.eventstore.system import governed
from libs.eventstore.upkeep import Examined, Finding, Flaw, Progress

EVENTS = """
SELECT l.position, l.stream, s.id, l.revision, l.type, l.recorded_at, length(l.id), l.metadata
FROM log l LEFT JOIN streams s ON s.id = l.stream ORDER BY l.position
"""
REVISIONS = "SELECT stream, revision, position FROM log ORDER BY stream, revision, position"
IDS = "SELECT stream, id, position FROM log ORDER BY stream, id, position"
STREAMS = """
SELECT id, name, state, floor, max_count, max_age, truncate_before, custom,
  (SELECT max(revision) FROM log WHERE stream = streams.id)
FROM streams ORDER BY id
"""
SCHEMA = "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite~_%' ESCAPE '~'"

LAST_TIME = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp()) * 1_000_000
"""The latest time that an event may bear, in microseconds since 1970: Python knows no later."""

TICK = 20_000
"""Rows between two calls of the progress."""

STEPS = 1_000_000
"""Steps of SQLite's machine between two calls of the progress: some tens of milliseconds."""

Findings = Iterator[Finding]


class Event(NamedTuple):
    """A row of EVENTS; ``stream`` is None where there is none with the number ``key``."""

    position: int
    key: int
    stream: int | None
    revision: int
    kind: int
    recorded_at: int
    id_length: int
    metadata: bytes


def examine(connection: apsw.Connection, path: Path, limit: int, progress: Progress) -> Examined:
    """Look the log through, as it is in the transaction that ``connection`` has begun."""
    examination = _Examination(connection, path, progress)
    findings: list[Finding] = []
    seen: Counter[bool] = Counter()
    for found in examination.all():
        seen[found.harmless] += 1
        if seen[found.harmless] <= limit:
            findings.append(found)
    return Examined(
        examination.position,
        sum(examination.types.values()),
        examination.streams,
        dict(examination.types.most_common()),
        findings,
        flaws=seen[False],
        remarks=seen[True],
    )


class _Examination:
    def __init__(self, connection: apsw.Connection, path: Path, progress: Progress) -> None:
        self._connection, self._path, self._progress = connection, path, progress
        self.position = self.streams = 0
        self.types: Counter[str] = Counter()

    def all(self) -> Findings:
        passes: tuple[Callable[[], Findings], ...] = (
            self._file,
            self._layout,
            self._events,
            self._revisions,
            self._ids,
            self._streams,
        )
        for look in passes:
            try:
                yield from look()
            except apsw.Error as error:
                met = explained(error, self._path)
                if not isinstance(met, StoreCorrupt):
                    raise met from error
                yield Finding(Flaw.FILE, f"the {look.__name__[1:]} cannot all be read ({error})")

    def _file(self) -> Findings:
        done = 0

        def tick() -> bool:
            nonlocal done
            done += 1
            self._progress("file", done, 0)
            return False

        self._connection.set_progress_handler(tick, STEPS)
        try:
            for (said,) in self._connection.execute("PRAGMA integrity_check(1000000)"):
                if said != "ok":
                    yield Finding(Flaw.FILE, said)
        finally:
            self._connection.set_progress_handler(None)

    def _layout(self) -> Findings:
        model = apsw.Connection(":memory:")
        model.execute(TABLES)
        due, found = dict(model.execute(SCHEMA)), dict(self._connection.execute(SCHEMA))
        for name, sql in due.items():
            if name not in found:
                yield Finding(Flaw.LAYOUT, f"{name!r} is missing")
            elif found[name] != sql:
                yield Finding(Flaw.LAYOUT, f"{name!r} is not as this release makes it")
        for name in found.keys() - due.keys():
            yield Finding(Flaw.LAYOUT, f"{name!r} is not of this release's making")

    def _events(self) -> Findings:
        """Along the log: nothing is missing, time goes on, and each event is whole."""
        types = dict(self._connection.execute("SELECT id, name FROM types"))
        seen: Counter[int] = Counter()
        before = clock = 0
        for row in self._along("events", EVENTS):
            event = Event(*row)
            flaws = [*_misplaced(event, before, clock), *_misshapen(event)]
            if event.kind not in types:
                flaws.append((Flaw.EVENT, f"there is no type number {event.kind}"))
            for flaw, what in flaws:
                where = (self._name(event.key), event.revision, event.position)
                yield Finding(flaw, what, *where, harmless=flaw == Flaw.METADATA)
            before, clock = max(event.position, 0), event.recorded_at
            seen[event.kind] += 1
        self.types.update({types.get(key, f"number {key}"): n for key, n in seen.items()})
        self.position = before

    def _revisions(self) -> Findings:
        """Along each stream: revisions from 0 without a gap, positions that increase with them."""
        stream, revision, highest = None, -1, 0
        for key, next_revision, position in self._along("revisions", REVISIONS):
            if key != stream:
                stream, revision, highest = key, -1, 0
            where = (next_revision, position)
            if next_revision == revision:
                yield Finding(Flaw.REVISION, "it stands there twice", self._name(key), *where)
            elif next_revision != revision + 1:
                gap = _span(revision + 1, next_revision)
                what = f"revision{gap} before it" if next_revision >= 0 else "it is below 0"
                yield Finding(Flaw.REVISION, what, self._name(key), *where)
            if position <= highest:
                what = f"an earlier revision stands at position {highest}"
                yield Finding(Flaw.POSITION, what, self._name(key), *where)
            revision, highest = next_revision, max(highest, position)

    def _ids(self) -> Findings:
        """No stream has an id twice."""
        before: tuple[int, bytes] | None = None
        first = 0
        for key, identity, position in self._along("ids", IDS):
            if (key, identity) == before:
                what = f"its id {identity.hex()} stands at position {first}, too"
                revision = self._revision(position)
                yield Finding(Flaw.ID, what, self._name(key), revision, position)
            else:
                before, first = (key, identity), position

    def _streams(self) -> Findings:
        """What the log knows of each stream fits its events."""
        for row in self._connection.execute(STREAMS):
            _, name, state, floor, max_count, max_age, before, custom, last = row
            self.streams += last is not None
            end = -1 if last is None else last
            if not 0 < len((governed(name) or name).encode()) <= MAX_STREAM_NAME:
                yield Finding(Flaw.STREAM, "no stream can have this name", name)
            if state not in tuple(State):
                yield Finding(Flaw.STREAM, f"its state is {state}, which is none", name, last)
            if not 0 <= floor <= end + 1 or (state == State.DELETED and floor != end + 1):
                what = f"deletes have hidden it up to revision {floor - 1}, and it ends at {end}"
                yield Finding(Flaw.STREAM, what, name, last)
            for what, number in (("$maxCount", max_count), ("$maxAge", max_age), ("$tb", before)):
                if number is not None and number < 0:
                    yield Finding(Flaw.STREAM, f"its {what} is {number}", name, last)
            if custom is not None and not _is_object(custom):
                yield Finding(Flaw.METADATA, "the stream's metadata is no JSON object", name)

    def _along(self, doing: str, sql: str) -> Iterator[Any]:
        total = self._connection.execute("SELECT max(position) FROM log").get or 0
        for number, row in enumerate(self._connection.execute(sql)):
            if number % TICK == 0:
                self._progress(doing, number, total)
            yield row

    def _name(self, key: int) -> str:
        sql = "SELECT name FROM streams WHERE id = ?"
        return self._connection.execute(sql, (key,)).get or f"number {key}"

    def _revision(self, position: int) -> int:
        sql = "SELECT revision FROM log WHERE position = ?"
        revision: int = self._connection.execute(sql, (position,)).get
        return revision


def _misplaced(event: Event, before: int, clock: int) -> Iterator[tuple[Flaw, str]]:
    """What is wrong with an event's place after the one at ``before``, recorded at ``clock``."""
    if event.position < 1:
        yield Flaw.POSITION, "the log begins at position 1"
    elif event.position != before + 1:
        yield Flaw.POSITION, f"position{_span(before + 1, event.position)} before it"
    if not 0 <= event.recorded_at <= LAST_TIME:
        yield Flaw.TIME, f"recorded at {event.recorded_at} µs, which is no time"
    elif event.recorded_at < clock:
        late = (clock - event.recorded_at) / 1e6
        yield Flaw.TIME, f"recorded {late:g} s before the event it follows"


def _misshapen(event: Event) -> Iterator[tuple[Flaw, str]]:
    if event.stream is None:
        yield Flaw.EVENT, "there is no such stream"
    if event.id_length != 16:
        yield Flaw.ID, f"its id has {event.id_length} bytes, not 16"
    if event.metadata and not _is_object(event.metadata):
        yield Flaw.METADATA, "its metadata is no JSON object"


def _span(first: int, end: int) -> str:
    """Say of numbers from ``first`` to before ``end`` that they are missing."""
    return f" {first} is missing" if first + 1 == end else f"s {first}–{end - 1} are missing"


def _is_object(text: bytes | str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
