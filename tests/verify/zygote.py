"""A process that has everything imported and forks a worker in milliseconds, to be killed soon.

It has one thread, opens no database and starts no loop: so a fork of it is as good as a process
that was started anew. It kills its children itself, as only a parent can be sure that a process
id still means the same process.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.verify.scale import ROOT

MESSAGE = 1 << 16
"""Bytes taken at a time; orders are answered one by one, and each ends with its line."""


class Worker:
    """A forked process, and the channel over which it is heard."""

    def __init__(self, zygote: "Zygote", pid: int, channel: socket.socket) -> None:
        self._zygote, self.pid, self.channel = zygote, pid, channel
        self._heard = bytearray()
        self._status: int | None = None
        self.ended = False
        """Whether all has been heard that it will ever say."""

    def fileno(self) -> int:
        """Answer what a selector waits for."""
        return self.channel.fileno()

    def hear(self) -> bytes:
        """Answer what has come since the last call, as it came."""
        try:
            news = self.channel.recv(1 << 20, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return b""
        self.ended = not news
        return news

    def lines(self) -> list[str]:
        """Answer the whole lines that have come; what a kill has cut off was never said."""
        while news := self.hear():
            self._heard += news
        whole, _, rest = self._heard.rpartition(b"\n")
        self._heard = bytearray(rest)
        return whole.decode().splitlines()

    def kill(self) -> int:
        """Kill it, wait until it is dead; answer its exit status (-9, unless it ended before)."""
        if self._status is None:
            self._status = self._zygote.kill(self.pid)
        return self._status

    def close(self) -> None:
        """Hear it no more."""
        self.channel.close()


class Zygote:
    """The forking process, seen from the one that gives the orders."""

    def __init__(self, log: Path, *preload: str) -> None:
        """Import ``preload`` there; what workers write to standard error goes to ``log``."""
        self.log = log
        self._orders, theirs = socket.socketpair()
        with theirs, log.open("w") as errors:
            command = [sys.executable, "-m", "tests.verify.zygote", str(theirs.fileno()), *preload]
            self._process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], stderr=errors, cwd=ROOT
            )
        self._answer()  # it says when it is ready

    def __enter__(self) -> "Zygote":
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._orders.close()  # at which it kills what it has forked, and ends
        self._process.wait()

    def fork(self, target: str, **arguments: Any) -> Worker:
        """Run ``module:function(channel, **arguments)`` in a process of its own."""
        ours, theirs = socket.socketpair()
        with theirs:
            order = json.dumps({"run": target, "with": arguments})
            socket.send_fds(self._orders, [f"{order}\n".encode()], [theirs.fileno()])
            return Worker(self, self._answer(), ours)

    def kill(self, pid: int) -> int:
        """Kill a process that was forked, wait until it is dead, and answer its exit status."""
        self._orders.sendall(f"{json.dumps({'kill': pid})}\n".encode())
        return self._answer()

    def _answer(self) -> int:
        answer = self._orders.recv(MESSAGE)
        assert answer, f"the zygote has ended: {self.log.read_text()}"
        return int(answer)


def run(worker: socket.socket, target: str, arguments: dict[str, Any]) -> int:
    """Be the worker; answer the exit status."""
    module, _, function = target.partition(":")
    try:
        getattr(import_module(module), function)(worker, **arguments)
    except BrokenPipeError:  # whoever listened has ended
        return 1
    except BaseException:
        traceback.print_exc()
        return 2
    return 0


def serve(orders: socket.socket) -> None:
    """Fork and kill as ordered, until nobody gives orders any more."""
    children: set[int] = set()
    orders.send(b"0")
    try:
        while True:
            message, descriptors, _, _ = socket.recv_fds(orders, MESSAGE, 1)
            if not message:
                return
            while not message.endswith(b"\n"):
                message += orders.recv(MESSAGE)
            order = json.loads(message)
            if "kill" in order:
                children.discard(order["kill"])
                orders.send(str(_killed(order["kill"])).encode())
                continue
            worker = socket.socket(fileno=descriptors[0])
            pid = os.fork()
            if pid == 0:
                orders.close()
                os._exit(run(worker, order["run"], order["with"]))
            worker.close()
            children.add(pid)
            orders.send(str(pid).encode())
    finally:
        for pid in children:
            _killed(pid)


def _killed(pid: int) -> int:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    for name in sys.argv[2:]:
        import_module(name)
    serve(socket.socket(fileno=int(sys.argv[1])))
