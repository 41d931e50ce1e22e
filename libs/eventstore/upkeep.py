"""Keeping a log safe, beside reading and writing it: copy it, put it back, examine and measure it.

Everything here looks at the log as it is at one instant, whoever appends meanwhile.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from libs.eventstore.port import StoreCorrupt

Progress = Callable[[str, int, int], None]
"""Called now and then with what is being done, how much of it is done, and of how much (0: who
knows)."""

SHOWN = 100
"""Findings that an examination keeps unless the caller asks otherwise; all of them are counted."""


class Flaw(StrEnum):
    """What may be wrong with a log."""

    FILE = "file"
    """The file: pages, tables and indexes do not fit together."""
    LAYOUT = "layout"
    """A table or an index is missing, or is not as this release makes it."""
    POSITION = "position"
    """Positions are missing, or do not increase along a stream."""
    REVISION = "revision"
    """The revisions of a stream are not 0, 1, 2 and so on."""
    ID = "id"
    """An event id is no UUID, or stands twice in a stream."""
    TIME = "time"
    """An event was recorded before the one that it follows, or at no time at all."""
    EVENT = "event"
    """An event belongs to no stream or has no type."""
    STREAM = "stream"
    """What the log knows of a stream does not fit its events."""
    METADATA = "metadata"
    """Metadata of an event or of a stream that is no JSON object."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where: as much of stream, revision and position as applies."""

    flaw: Flaw
    what: str
    stream: str | None = None
    revision: int | None = None
    position: int | None = None
    harmless: bool = False
    """Whether nothing here minds: others may append such events, as KurrentDB lets them."""

    def __str__(self) -> str:
        places = (
            ("stream", self.stream and repr(self.stream)),
            ("revision", self.revision),
            ("position", self.position),
        )
        where = ", ".join(f"{name} {value}" for name, value in places if value is not None)
        return f"{self.flaw}: {where}{where and ': '}{self.what}"


@dataclass(frozen=True, slots=True)
class Examined:
    """A log that was looked through: what it holds, and what is wrong with it.

    ``findings`` are the first ones; ``flaws`` and ``remarks`` say how many there are in all, the
    harmless ones being remarks. ``types`` counts events by type.
    """

    position: int
    events: int
    streams: int
    types: Mapping[str, int]
    findings: Sequence[Finding]
    flaws: int
    remarks: int

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong that matters."""
        return self.flaws == 0


class Flawed(StoreCorrupt):
    """A copy was examined and is not sound; it was not put in place. ``examined`` says why."""

    def __init__(self, message: str, examined: Examined) -> None:
        """Say which copy it is of."""
        super().__init__(message, examined)
        self.examined = examined

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class Copied:
    """A copy that is in place, whole up to ``position``; ``size`` in bytes.

    ``aside`` is where the file went that was in its place, if there was one.
    """

    path: Path
    position: int
    size: int
    checked: bool
    aside: Path | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """Events, and the bytes of their data and metadata."""

    name: str
    events: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a log holds; ``payload`` are the bytes of data and metadata, ``file`` those on disk.

    ``deleted`` and ``tombstoned`` streams are among ``streams``. A category is the beginning of a
    stream's name, up to the first hyphen. ``types`` and ``categories`` are complete, ``largest``
    streams as many as were asked for; all with the most events first.
    """

    position: int
    events: int
    streams: int
    deleted: int
    tombstoned: int
    payload: int
    file: int
    write_ahead: int
    first_recorded: datetime | None
    last_recorded: datetime | None
    types: Sequence[Tally]
    categories: Sequence[Tally]
    largest: Sequence[Tally]


class Upkeep(Protocol):
    """What can be done for a log in a file.

    All of it raises StoreUnavailable and StoreCorrupt, saying what to do; ``backup`` and
    ``restore`` also ValueError where a file would be copied over itself.
    """

    def backup(self, target: Path, *, replace: bool, check: bool, progress: Progress) -> Copied:
        """Copy the log, while others append, to ``target``: a file, or a directory to hold one.

        The copy appears under its name when it is whole, synced and (``check``) examined. Raises
        FileExistsError where a file is and ``replace`` is not said, and Flawed.
        """
        ...

    def restore(self, backup: Path, *, replace: bool, check: bool, progress: Progress) -> Copied:
        """Put a copy of ``backup`` in the log's place; ``replace`` sets the log aside first.

        Raises FileExistsError where a log is and ``replace`` is not said, StoreUnavailable while
        anybody has it open, and Flawed; then nothing was changed.
        """
        ...

    def check(self, *, limit: int = SHOWN, progress: Progress) -> Examined:
        """Examine the file and the log, and keep up to ``limit`` findings.

        A file that cannot even be opened as a log is a finding, not an error.
        """
        ...

    def statistics(self, *, largest: int, progress: Progress) -> Statistics:
        """Measure the log."""
        ...
