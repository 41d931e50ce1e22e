"""Sees to it that no child outlives the supervisor, however the supervisor ends.

The guard is a process of its own, started as a plain file so that it is up in an instant. It is
told of every child through a pipe; when the pipe closes, the supervisor is gone, and the guard
ends the children that are left. It holds the lock on the data directory until that is done, so
that nobody starts on data which is still being written. SIGKILL of the supervisor, the one thing
that it cannot see coming itself, is thus covered on every Unix.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

PATIENCE = 5.0
"""Seconds for orphans to end by themselves before they are killed."""


class Guard:
    """The supervisor's end of the pipe."""

    def __init__(self, lock: int) -> None:
        """Start the guard; it shares `lock`, the descriptor of the locked file."""
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__],
            stdin=subprocess.PIPE,
            pass_fds=(lock,),
            start_new_session=True,
            text=True,
            bufsize=1,
        )

    def watch(self, pid: int) -> None:
        """Tell of a child that was started, the leader of its own session."""
        self._tell(f"+{pid}")

    def release(self, pid: int) -> None:
        """Tell of a child that has ended and was waited for."""
        self._tell(f"-{pid}")

    def close(self) -> None:
        """End the guard, and with it whatever was not released."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            print(line, file=self._process.stdin)


def main() -> None:
    """Follow the supervisor until it is gone, then end what it left."""
    children: set[int] = set()
    for line in sys.stdin:
        pid = int(line[1:])
        (children.add if line[0] == "+" else children.discard)(pid)
    _signal(children, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while children and time.monotonic() < deadline:
        time.sleep(0.05)
        children = {pid for pid in children if _lives(pid)}
    _signal(children, signal.SIGKILL)


def _signal(children: set[int], number: signal.Signals) -> None:
    for pid in children:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, number)


def _lives(pid: int) -> bool:
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False


if __name__ == "__main__":
    main()
