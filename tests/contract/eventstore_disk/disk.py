"""A disk that is full, read-only or failing, when a test says so: a VFS under the real engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apsw

BASE = apsw.vfs_names()[0]
"""The operating system's."""

FULL = apsw.FullError()
FAILED_WRITE = apsw.exception_for(apsw.SQLITE_IOERR_WRITE)
FAILED_SYNC = apsw.exception_for(apsw.SQLITE_IOERR_FSYNC)
FAILED_READ = apsw.exception_for(apsw.SQLITE_IOERR_READ)
READ_ONLY = apsw.ReadOnlyError()


class Disk(apsw.VFS):
    """The default VFS of this process while it is the disk under a test.

    A write, a sync or a read raises what is set for it. With ``room`` set, files grow by so many
    bytes together, and then the disk is full: what is there can still be written over.
    """

    def __init__(self) -> None:
        super().__init__("disk", BASE, makedefault=True)
        self.on_write: Exception | None = None
        self.on_sync: Exception | None = None
        self.on_read: Exception | None = None
        self.room: int | None = None

    def recover(self) -> None:
        """Be well again, with room for everything."""
        self.on_write = self.on_sync = self.on_read = self.room = None

    def grow(self, more: int) -> None:
        """Give a file room for ``more`` bytes. Raises FullError."""
        if self.room is not None and more > 0:
            if more > self.room:
                raise FULL
            self.room -= more

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        """See SQLite."""
        return File(self, name, flags)


class File(apsw.VFSFile):
    """A file on the disk."""

    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        super().__init__(BASE, name, flags)
        self._disk = disk

    def xRead(self, amount: int, offset: int) -> Any:  # noqa: N802
        """See SQLite."""
        if self._disk.on_read:
            raise self._disk.on_read
        return super().xRead(amount, offset)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        """See SQLite."""
        if self._disk.on_write:
            raise self._disk.on_write
        self._disk.grow(offset + len(data) - self.xFileSize())
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        """See SQLite."""
        if self._disk.on_sync:
            raise self._disk.on_sync
        super().xSync(flags)


@contextmanager
def troubled() -> Iterator[Disk]:
    """Put such a disk under all files that are opened from now on."""
    disk = Disk()
    try:
        yield disk
    finally:
        disk.recover()
        disk.unregister()
