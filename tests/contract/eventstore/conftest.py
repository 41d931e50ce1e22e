"""The ways to a store that the suite is run over."""

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from libs.eventstore.connect import connect
from libs.eventstore.port import EventStore
from libs.eventstore.sqlite import SqliteStore, open_sqlite
from tests.contract.eventstore.peer import Peer, TwoProcesses

KURRENTDB = os.environ.get("KURRENTDB_URI")
WAYS = ["sqlite", "two-processes", "server", *(["kurrentdb"] if KURRENTDB else [])]


@contextmanager
def process(*arguments: str, log: Path, **settings: str) -> Iterator[str]:
    """A Python module running as a process; what it says when it is ready."""
    command = [sys.executable, "-m", *arguments]
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, env=os.environ | settings, text=True
        ) as running,
    ):
        try:
            assert running.stdout
            ready = running.stdout.readline()
            assert ready, f"{command} ended with {running.wait()}: {log.read_text()}"
            yield ready
        finally:
            running.terminate()
            running.wait(15)


@pytest.fixture(scope="session")
def peer_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the other process takes calls."""
    folder = tmp_path_factory.mktemp("peer")
    socket = str(folder / "socket")
    with process("tests.contract.eventstore.peer", socket, log=folder / "log"):
        yield socket


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real server process over an embedded store."""
    folder = tmp_path_factory.mktemp("server")
    settings = {
        "EQUILOOP_EVENTSTORE_URL": f"sqlite:///{folder}/log.db",
        "EQUILOOP_EVENTSTORE_PORT": "0",
    }
    with process("services.eventstore", log=folder / "log", **settings) as ready:
        port = re.search(r"ready on \S+:(\d+)", ready)
        assert port, ready
        yield f"kurrentdb://127.0.0.1:{port[1]}?tls=false"


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An embedded store with a file of its own, for what is asked of it alone."""
    opened = await open_sqlite(tmp_path / "log.db")
    yield opened
    await opened.close()


@pytest.fixture(params=WAYS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EventStore]:
    """A store, reached in each of the ways."""
    url = f"sqlite:///{tmp_path}/log.db"
    match request.param:
        case "server":
            url = request.getfixturevalue("server_url")
        case "kurrentdb":
            url = KURRENTDB or ""
    reached: EventStore = await connect(url)
    if request.param == "two-processes":
        socket = request.getfixturevalue("peer_socket")
        reached = TwoProcesses(reached, await Peer.reach(socket, url))
    yield reached
    await reached.close()
