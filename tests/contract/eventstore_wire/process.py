"""The server as a process of its own, over a store in a file."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Running:
    """A server that is up, or was."""

    process: subprocess.Popen[str]
    port: int
    errors: Path

    @property
    def target(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Its connection string."""
        return f"kurrentdb://{self.target}?Tls=false"

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Have it stopped and answer its exit code."""
        self.process.send_signal(how)
        return self.process.wait(15)

    def complaints(self) -> str:
        """Whatever it logged that was worse than news."""
        lines = self.errors.read_text().splitlines()
        return "\n".join(line for line in lines if '"level": "info"' not in line)


def command(folder: Path, port: int, **settings: str) -> tuple[list[str], dict[str, str]]:
    """How the server is started over the store in a folder."""
    chosen = {
        "EQUILOOP_EVENTSTORE_URL": f"sqlite:///{folder}/log.db",
        "EQUILOOP_EVENTSTORE_PORT": str(port),
    }
    return [sys.executable, "-m", "services.eventstore"], os.environ | chosen | settings


@contextmanager
def server(folder: Path, port: int = 0, **settings: str) -> Iterator[Running]:
    """A running server; it is stopped at the end if it has not been before."""
    arguments, environment = command(folder, port, **settings)
    errors = folder / "errors.log"
    with (
        errors.open("a") as log,
        subprocess.Popen(
            arguments, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            assert process.stdout
            ready = re.search(r"ready on \S+:(\d+)", process.stdout.readline())
            assert ready, errors.read_text()
            yield Running(process, int(ready[1]), errors)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(15)
