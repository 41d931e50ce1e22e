"""Copies of a log: made from one snapshot while others append, examined, put in place whole."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from libs.eventstore.port import StoreUnavailable
from libs.eventstore.sqlite.advice import explained
from libs.eventstore.sqlite.file import mark, snapshot
from libs.eventstore.sqlite.integrity import examine
from libs.eventstore.upkeep import SHOWN, Flawed, Progress

STEP = 1024
"""Pages (4 MiB) that are copied between two calls of the progress."""

OF_THE_TARGET = (apsw.FullError, apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError)
"""What can befall only the file that is written."""


@contextmanager
def copied(source: Path, target: Path, *, check: bool, progress: Progress) -> Iterator[Path]:
    """A copy of a log beside its ``target``, whole, synced and examined; removed if left there.

    It is one file, without a write-ahead log, and has a mark of its own. Raises
    StoreUnavailable, StoreCorrupt, Flawed.
    """
    try:
        handle, name = tempfile.mkstemp(".partial", f".{target.name}.", target.parent)
    except OSError as error:
        raise StoreUnavailable(f"cannot write to {target.parent}: {error.strerror}") from error
    os.close(handle)
    partial = Path(name)
    try:
        _copy(source, partial, progress)
        if check:
            _examine(source, partial, progress)
        shutil.copymode(source, partial)
        sync(partial)
        yield partial
    finally:
        for leftover in (partial, Path(f"{partial}-journal"), Path(f"{partial}-wal")):
            leftover.unlink(missing_ok=True)


def position(path: Path) -> int:
    """Position of the last event in a log."""
    with snapshot(path) as connection:
        return connection.execute("SELECT max(position) FROM log").get or 0


def place(partial: Path, target: Path, *, replace: bool) -> None:
    """Give a copy its name, at once. Raises FileExistsError where a file is, if not to replace."""
    if replace:
        partial.replace(target)
    else:
        link(partial, target)
    sync(target.parent)


def link(old: Path, new: Path) -> None:
    """Give a file a second name; where the file system knows no such thing, another one.

    Raises FileExistsError.
    """
    try:
        new.hardlink_to(old)
    except FileExistsError:
        raise
    except OSError:
        if new.exists():
            raise FileExistsError(new) from None
        old.rename(new)


def sync(path: Path) -> None:
    """Make sure that a file's contents, or a directory's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _copy(source: Path, partial: Path, progress: Progress) -> None:
    with snapshot(source) as log:
        copy = apsw.Connection(str(partial))
        try:
            copy.pragma("synchronous", "full")
            with copy.backup("main", log, "main") as backup:
                while not backup.done:
                    backup.step(STEP)
                    done = backup.page_count - backup.remaining
                    progress("copying", done, backup.page_count)
            copy.pragma("journal_mode", "delete")  # a single file, for any medium
            mark(copy)
        except apsw.Error as error:
            at = partial if isinstance(error, OF_THE_TARGET) else source
            raise explained(error, at) from error
        finally:
            copy.close()


def _examine(source: Path, partial: Path, progress: Progress) -> None:
    with snapshot(partial) as connection:
        examined = examine(connection, source, SHOWN, progress)
    if not examined.sound:
        msg = f"{source} is not sound: its copy was examined, and has {examined.flaws} flaws"
        raise Flawed(msg, examined)
