"""The processes of this system, as they are started in earnest, for as long as a check wants."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.verify.scale import ROOT

PATIENCE = 15.0
"""Seconds in which a process must have ended that was asked to."""


@contextmanager
def process(
    module: str, *arguments: str, log: Path, **settings: str
) -> Iterator[subprocess.Popen[str]]:
    """Run a module as a process; end it with the block, by force if it must be."""
    command = [sys.executable, "-m", module, *arguments]
    environment = {name: value for name, value in os.environ.items() if "EQUILOOP" not in name}
    with (
        log.open("a") as errors,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment | {f"EQUILOOP_{name.upper()}": text for name, text in settings.items()},
            cwd=ROOT,
            text=True,
        ) as running,
    ):
        try:
            yield running
        finally:
            running.terminate()
            try:
                running.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                running.kill()


class Served(NamedTuple):
    """A server's port, and its process."""

    port: int
    pid: int


@contextmanager
def store_process(folder: Path, fault: str = "") -> Iterator[Served]:
    """Serve a log in ``folder`` with `services.eventstore`, broken by ``fault`` if that is one."""
    url, log = f"sqlite:///{folder}/log.db", folder / "eventstore.log"
    settings = {"eventstore_url": url, "eventstore_port": "0"}
    module = ("tests.verify.broken_eventstore", fault) if fault else ("services.eventstore",)
    with process(*module, log=log, **settings) as running:
        assert running.stdout is not None
        port = re.search(r"ready on \S+:(\d+)", running.stdout.readline())
        assert port, log.read_text()
        yield Served(int(port[1]), running.pid)


@contextmanager
def store_server(folder: Path) -> Iterator[int]:
    """Serve a log in ``folder`` with `services.eventstore`; answer the port."""
    with store_process(folder) as served:
        yield served.port
