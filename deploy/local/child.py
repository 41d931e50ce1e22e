"""A process of the system: started, asked whether it is healthy, ended."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.local.errors import ChildFailed

_INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ")
"""What of our own environment a child may see; the rest is settings."""

_PROBE = 1.0
"""Seconds for one health check to be answered."""

_LAST_WORDS = 500
_COMPLAINTS = ("warning", "error", "critical")

Probe = Callable[[], bool]


class Child:
    """One process, its log, and how to see that it is healthy."""

    def __init__(self, name: str, command: Sequence[str], probe: Probe, log: Path) -> None:
        self.name, self.healthy, self.log = name, probe, log
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; also that of its session."""
        assert self._process is not None
        return self._process.pid

    def start(self, environment: Mapping[str, str]) -> None:
        """Start it in a session of its own: a Ctrl-C in the terminal is the supervisor's alone."""
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                env={**inherited, "PYTHONUNBUFFERED": "1", **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def check(self, doing: str) -> None:
        """Raise ChildFailed if it has ended; `doing` says what it was at."""
        assert self._process is not None
        code = self._process.poll()
        if code is not None:
            raise ChildFailed(self.failure(f"{doing} ({_how(code)})"))

    def failure(self, what: str) -> str:
        """Answer one line on what went wrong, with the last complaint of the log."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        said = _last_words(text).removeprefix(f"{self.name}: ")
        return f"{self.name} {what}{said and ': '}{said} (see {self.log})"

    def terminate(self) -> None:
        """Ask it to end."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def wait(self, until: float) -> None:
        """Wait for its end until the monotonic instant `until`, then kill it."""
        assert self._process is not None
        try:
            self._process.wait(max(until - time.monotonic(), 0.01))
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()


def python(module: str) -> list[str]:
    """Answer the command that runs a module in this very environment."""
    return [sys.executable, "-m", module]


def serving(address: str) -> Probe:
    """Answer a probe for a gRPC server: does it say SERVING?"""

    def probe() -> bool:
        with grpc.insecure_channel(address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            try:
                request = health_pb2.HealthCheckRequest()
                reply = stub.Check(request, timeout=_PROBE)  # type: ignore[attr-defined]
            except grpc.RpcError:
                return False
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)

    return probe


def answering(address: str, path: str) -> Probe:
    """Answer a probe for an HTTP server: does it answer 200?"""

    def probe() -> bool:
        connection = http.client.HTTPConnection(address, timeout=_PROBE)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return probe


def _last_words(log: str) -> str:
    last = next((line.strip() for line in reversed(log.splitlines()) if line.strip()), "")
    if last.startswith("{"):
        try:
            entry = json.loads(last)
        except ValueError:
            return last[:_LAST_WORDS]
        last = str(entry.get("event", "")) if entry.get("level") in _COMPLAINTS else ""
    return last[:_LAST_WORDS]


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
