"""Upkeep of a log in a SQLite file: see ``libs.eventstore.upkeep`` for what each part promises.

A backup is copied page by page from one snapshot: it is the log up to one position, however many
append meanwhile. The write-ahead log cannot begin anew before the copy is made.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import apsw

from libs.eventstore.port import StoreCorrupt, StoreUnavailable
from libs.eventstore.sqlite.advice import explained
from libs.eventstore.sqlite.copying import copied, link, place, position, sync
from libs.eventstore.sqlite.file import move_home, snapshot
from libs.eventstore.sqlite.integrity import examine
from libs.eventstore.sqlite.statistics import measure
from libs.eventstore.upkeep import SHOWN, Copied, Examined, Finding, Flaw, Progress, Statistics

TIME = "%Y%m%dT%H%M%SZ"
"""How file names say an instant (UTC), so that they sort by it."""


class SqliteUpkeep:
    """Upkeep of the log in the file ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def backup(self, target: Path, *, replace: bool, check: bool, progress: Progress) -> Copied:
        """Copy the log; see the protocol. In a directory the copy is named after log and time."""
        if target.is_dir():
            target /= f"{self._path.stem}-{datetime.now(UTC):{TIME}}{self._path.suffix or '.db'}"
        _refuse(target, self._path, replace=replace)
        with copied(self._path, target, check=check, progress=progress) as partial:
            reached, size = position(partial), partial.stat().st_size
            place(partial, target, replace=replace)
        return Copied(target, reached, size, check)

    def restore(self, backup: Path, *, replace: bool, check: bool, progress: Progress) -> Copied:
        """Put a copy of ``backup`` in the log's place; see the protocol."""
        path = self._path
        _refuse(path, backup, replace=replace)
        with copied(backup, path, check=check, progress=progress) as partial:
            reached, size = position(partial), partial.stat().st_size
            if path.exists():
                move_home(path)
                with _alone(path):
                    _like(partial, path)
                    aside = _set_aside(path)
                    place(partial, path, replace=True)
            else:
                aside = _set_aside(path)
                place(partial, path, replace=False)
        return Copied(path, reached, size, check, aside)

    def check(self, *, limit: int = SHOWN, progress: Progress) -> Examined:
        """Examine the file and the log."""
        try:
            with snapshot(self._path) as connection:
                return examine(connection, self._path, limit, progress)
        except StoreCorrupt as error:
            return Examined(0, 0, 0, {}, [Finding(Flaw.FILE, str(error))], flaws=1, remarks=0)

    def statistics(self, *, largest: int, progress: Progress) -> Statistics:
        """Measure the log."""
        with snapshot(self._path) as connection:
            return measure(connection, self._path, largest, progress)


def _refuse(target: Path, source: Path, *, replace: bool) -> None:
    """Refuse to copy a file over another one, unless it is to be replaced, or over itself."""
    if target.exists():
        if source.exists() and target.samefile(source):
            raise ValueError(f"{target} is the very file that is to be copied")
        if not replace:
            raise FileExistsError(f"{target} is there already")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep everybody else from a file, whatever is in it. Raises StoreUnavailable.

    These are SQLite's own locks: whoever has the log open holds one, even while idle.
    """
    flags = [apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_MAIN_DB, 0]
    try:
        file = apsw.VFSFile("", str(path), flags)
    except apsw.Error as error:
        raise explained(error, path) from error
    try:
        file.xLock(apsw.SQLITE_LOCK_SHARED)
        file.xLock(apsw.SQLITE_LOCK_EXCLUSIVE)
        yield
    except apsw.BusyError as error:
        msg = f"{path} is in use: stop the processes that have it open, and restore then"
        raise StoreUnavailable(msg) from error
    finally:
        file.xUnlock(apsw.SQLITE_LOCK_NONE)
        file.xClose()


def _like(partial: Path, path: Path) -> None:
    """Let those read and write the new file who might the old one."""
    shutil.copymode(path, partial)
    old = path.stat()
    with suppress(PermissionError):
        os.chown(partial, old.st_uid, old.st_gid)


def _set_aside(path: Path) -> Path | None:
    """Give a log, and what belongs to it, a name that says when it was replaced."""
    stamp = f"{datetime.now(UTC):{TIME}}"
    aside = path.with_name(f"{path.name}.replaced-{stamp}")
    left = False
    for suffix in ("", "-wal", "-journal"):
        old = Path(f"{path}{suffix}")
        if old.exists():
            link(old, Path(f"{aside}{suffix}"))
            left = True
            if suffix:
                old.unlink(missing_ok=True)
    Path(f"{path}-shm").unlink(missing_ok=True)
    sync(path.parent)
    return aside if left else None
