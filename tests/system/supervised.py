"""`python -m deploy.local` as a process of its own, as a user starts it."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.settings import SERVICES, LocalSettings, on_free_ports

PATIENCE = 60.0
"""Seconds for a process to do what it is waited for."""


@dataclass
class Supervised:
    """A supervisor that is up, and the processes that it started."""

    process: subprocess.Popen[str]
    settings: LocalSettings
    said: list[str]
    children: dict[int, str]
    """The command line of each, by its process id."""

    def pid(self, name: str) -> int:
        """Answer the process id of a service."""
        return next(pid for pid, line in self.children.items() if f"services.{name}" in line)

    @property
    def example(self) -> str:
        """The example call that it printed."""
        return next(line for line in self.said if line.startswith("try:")).removeprefix("try:")

    def tell(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal; answer the exit code and what came on standard error."""
        self.process.send_signal(number)
        return self.end()

    def end(self) -> tuple[int, str]:
        """Wait for the end; answer the exit code and what came on standard error."""
        _, complaint = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, complaint

    def left(self) -> list[int]:
        """Answer the processes that still run of those that it started."""
        return [pid for pid in self.children if _runs(pid)]


def settings_in(directory: Path, **fields: object) -> LocalSettings:
    """Answer settings on free ports with data and logs in `directory`."""
    return on_free_ports(store="", data=directory / "data", logs=directory / "log", **fields)


def command(settings: LocalSettings, *arguments: str) -> subprocess.Popen[str]:
    """Start the supervisor."""
    names = (*SERVICES, "gateway", "gateway_admin", "eventstore_port", "data", "logs")
    chosen = {f"EQUILOOP_{name.upper()}": str(getattr(settings, name)) for name in names}
    kept = {name: value for name, value in os.environ.items() if "EQUILOOP" not in name}
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.local", *arguments],
        env={**kept, "STORE": "", **chosen},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def up(settings: LocalSettings, *arguments: str) -> Iterator[Supervised]:
    """Start the supervisor and wait until all is up; kill it at the end if it still runs."""
    process = command(settings, *arguments)
    try:
        said: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line.strip())
            if said[-1].startswith("stop:"):
                break
        else:
            raise AssertionError(process.communicate()[1])
        yield Supervised(process, settings, said, _children(process.pid))
    finally:
        if process.poll() is None:
            process.kill()  # the guard ends the rest
        process.communicate()


def _children(parent: int) -> dict[int, str]:
    return {pid: args for pid, ppid, _, args in _processes() if ppid == parent}


def _runs(pid: int) -> bool:
    return any(each == pid and state != "Z" for each, _, state, _ in _processes())


def _processes() -> list[tuple[int, int, str, str]]:
    """Answer pid, parent, state and command line of every process; not every Linux has `ps`."""
    if not Path("/proc/self/stat").exists():
        command = ["ps", "-A", "-o", "pid=,ppid=,stat=,args="]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        rows = (line.split(None, 3) for line in lines.splitlines())
        return [(int(pid), int(ppid), state[0], args) for pid, ppid, state, args in rows]
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it may end while we look
            state, ppid = place.joinpath("stat").read_text().rpartition(")")[2].split()[:2]
            args = place.joinpath("cmdline").read_text().replace("\0", " ")
            found.append((int(place.name), int(ppid), state, args))
    return found
