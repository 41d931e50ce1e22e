"""What SQLite may meet with the file of a log, said in the port's words, with what to do."""

from pathlib import Path

import apsw

from libs.eventstore.port import StoreCorrupt, StoreError, StoreUnavailable

TOOL = "python -m services.eventstore"

LOCK_WAIT = 5.0
"""Seconds that a writer waits for another process before it answers StoreUnavailable."""

ADVICE: tuple[tuple[tuple[type[apsw.Error], ...], type[StoreError], str], ...] = (
    (
        (apsw.NotADBError,),
        StoreCorrupt,
        f"is no SQLite file: check the path, or restore it from a backup (`{TOOL} restore`)",
    ),
    (
        (apsw.CorruptError, apsw.FormatError, apsw.SQLError),
        StoreCorrupt,
        f"is damaged: restore it from a backup (`{TOOL} restore`); `{TOOL} check` says where",
    ),
    (
        (apsw.BusyError, apsw.LockedError),
        StoreUnavailable,
        f"is locked: another process has held it for over {LOCK_WAIT:g} s",
    ),
    (
        (apsw.FullError,),
        StoreUnavailable,
        "has no space left on its disk: nothing was written; make room, and appends go on",
    ),
    (
        (apsw.IOError,),
        StoreUnavailable,
        f"cannot be read or written: see to its disk (full? read-only?), then run `{TOOL} check`",
    ),
    (
        (apsw.CantOpenError,),
        StoreUnavailable,
        "cannot be opened: its directory must exist, and this user be allowed to write there",
    ),
    (
        (apsw.ReadOnlyError, apsw.PermissionsError),
        StoreUnavailable,
        "is read-only: let this user write the file and its directory",
    ),
    (
        (apsw.ConnectionClosedError,),
        StoreUnavailable,
        "was closed by this process",
    ),
)
"""What SQLite may meet, what the port calls it, and what to do about it."""


def explained(error: Exception, path: Path) -> StoreError:
    """Say in the port's words what SQLite met, and what to do about it."""
    for kinds, answer, advice in ADVICE:
        if isinstance(error, kinds):
            said = f" ({error})" if str(error) else ""
            return answer(f"{path} {advice}{said}")
    return StoreUnavailable(f"{path}: {error!r}")
