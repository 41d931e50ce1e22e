"""The gateway as a process of the system: its configuration for this run, and its drain."""

import contextlib
import http.client
import os
import time

from deploy.local.child import Child, answering
from deploy.local.errors import LocalError
from deploy.local.settings import LocalSettings
from gateway.binary import EnvoyMissing, find
from gateway.render import render, write

_DRAIN = 2.0
"""Seconds for running calls to end before the services are told to stop; they wait for the rest."""


class Gateway(Child):
    """Envoy in front of the services."""

    def __init__(self, settings: LocalSettings) -> None:
        """Write the configuration of this run beside the log. Raises LocalError without Envoy."""
        try:
            binary = find()
        except EnvoyMissing as error:
            raise LocalError(str(error)) from error
        self._admin = f"127.0.0.1:{settings.gateway_admin}"
        path = settings.logs / "gateway.json"
        write(render(settings), path)
        # Half the cores: the services need the others, and more threads than that slow both down.
        threads = max(1, (os.cpu_count() or 1) // 2)
        command = [str(binary), "-c", str(path), "--concurrency", str(threads)]
        command += ["--disable-hot-restart", "--log-level", "warning"]
        command += ["--drain-time-s", "5", "--drain-strategy", "immediate"]
        probe = answering(settings.gateway, "/healthz")
        super().__init__("gateway", command, probe, settings.logs / "gateway.log")

    def drain(self) -> None:
        """Send clients away; wait a moment for the calls that are under way."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            self._ask("POST", "/healthcheck/fail")
            self._ask("POST", "/drain_listeners?graceful&skip_exit")
            deadline = time.monotonic() + _DRAIN
            while self._active() and time.monotonic() < deadline:
                time.sleep(0.02)

    def _active(self) -> int:
        text = self._ask("GET", "/stats?filter=^http.gateway.downstream_rq_active$")
        return int(text.rpartition(":")[2] or 0)

    def _ask(self, method: str, path: str) -> str:
        connection = http.client.HTTPConnection(self._admin, timeout=1)
        try:
            connection.request(method, path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()
