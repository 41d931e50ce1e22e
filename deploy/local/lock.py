"""One system at a time on one data directory."""

import fcntl
import os
import time
from pathlib import Path

from deploy.local.errors import DataInUse
from deploy.local.guard import PATIENCE


class DataLock:
    """A lock on a data directory; it ends with the last process that holds its descriptor."""

    def __init__(self, data: Path) -> None:
        """Lock `data`, making it if need be.

        When its last owner was killed and the guard still ends its children, that is waited for.
        Raises DataInUse, or OSError when the directory cannot be made or written.
        """
        data.mkdir(parents=True, exist_ok=True)
        self._data = data
        self.descriptor = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._take()
        except BaseException:
            os.close(self.descriptor)
            raise
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, str(os.getpid()).encode(), 0)

    def _take(self) -> None:
        deadline = time.monotonic() + 2 * PATIENCE
        while True:
            try:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = int(os.pread(self.descriptor, 20, 0) or b"0")
                if _lives(owner) or time.monotonic() > deadline:
                    message = (
                        f"{self._data} is in use by another system (process {owner}): "
                        "stop it, or choose another directory with EQUILOOP_DATA"
                    )
                    raise DataInUse(message) from None
                time.sleep(0.05)
            else:
                return

    def release(self) -> None:
        """Let go; the guard may hold on until all children have ended."""
        os.close(self.descriptor)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0
