"""The SQLite VFS that tells a ``Disk`` what is written and synced, and can stop it all.

Real files show what the operating system would; the ``Disk`` knows what would be left of them.
SQLite syncs the directory with the first sync that each connection makes of a journal or
write-ahead log, whoever made that file, and with some deletions.
"""

import os
import pickle
import threading
from pathlib import Path
from typing import Any

import apsw

from tests.verify.disk import Disk, Node

JOURNALS = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL

BASE = apsw.vfs_names()[0]
"""The operating system's."""

STOPPED = 7
"""Exit status of a process that was stopped at the operation it was to be stopped at."""


class Recording(apsw.VFS):
    """The default VFS of this process, until it is stopped at one of its operations."""

    def __init__(self, state: Path, operations: int, syncs: int, *, lies: bool) -> None:
        """Go on with the disk in ``state``, and leave it there when stopped.

        That is before one more than so many ``operations``, or ``syncs`` among them. A disk that
        ``lies`` answers a sync and does nothing.
        """
        super().__init__("recording", BASE, makedefault=True)
        self._state, self._lies = state, lies
        self._operations, self._syncs = operations, syncs
        self.disk: Disk = pickle.loads(state.read_bytes())
        self.lock = threading.RLock()

    def count(self, *, sync: bool = False) -> None:
        """Count an operation that is about to be done, and stop the process before one too many."""
        self._operations -= 1
        self._syncs -= sync
        if self._operations < 0 or self._syncs < 0:
            self.stop()

    def stop(self) -> None:
        """Stop the process at once, with the disk as it is now."""
        with self.lock:
            self._state.write_bytes(pickle.dumps(self.disk))
            os._exit(STOPPED)

    def sync(self, node: Node, *, directory: bool) -> None:
        """Have a file arrive, and the directory's names, if it is asked for."""
        if not self._lies:
            node.sync()
            if directory:
                self.disk.sync_names()

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        """See SQLite."""
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        with self.lock:
            self.count()
            known = Path(path).name in self.disk.names
            file = RecordedFile(self, name, flags)
            if not known:
                self.disk.create(Path(path).name)
            file.node = self.disk.names[Path(path).name]
            file.names_pending = bool(flags[0] & JOURNALS)
            return file

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        """See SQLite."""
        with self.lock:
            self.count()
            super().xDelete(filename, syncdir)
            self.disk.remove(Path(filename).name)
            if syncdir and not self._lies:
                self.disk.sync_names()


class RecordedFile(apsw.VFSFile):
    """An open file; what is done to it is done to its node, too."""

    node: Node
    names_pending = False
    """Whether the first sync shall sync the directory, too."""

    def __init__(self, vfs: Recording, name: Any, flags: list[int]) -> None:
        super().__init__(BASE, name, flags)
        self._vfs = vfs

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        """See SQLite."""
        with self._vfs.lock:
            self._vfs.count()
            super().xWrite(data, offset)
            self.node.pending.append((offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        """See SQLite."""
        with self._vfs.lock:
            self._vfs.count()
            super().xTruncate(newsize)
            self.node.pending.append((newsize, None))

    def xSync(self, flags: int) -> None:  # noqa: N802, ARG002
        """See SQLite; nothing needs to be synced in truth."""
        with self._vfs.lock:
            self._vfs.count(sync=True)
            self._vfs.sync(self.node, directory=self.names_pending)
            self.names_pending = False
