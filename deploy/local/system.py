"""The whole system as one thing that is started and stopped.

```
with System(on_free_ports(data=directory / "data", logs=directory / "log")) as system:
    channel = grpc.insecure_channel(system.gateway)
```
"""

import logging
import threading
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from deploy.local.child import Child, python, serving
from deploy.local.errors import ChildFailed, Interrupted
from deploy.local.gateway import Gateway
from deploy.local.guard import Guard
from deploy.local.lock import DataLock
from deploy.local.ports import check_ports
from deploy.local.settings import LocalSettings

log = logging.getLogger(__name__)

_WAVES = (("customers", "feedback", "metrics"), ("offers",))
"""The services in the order of their needs (offers asks feedback); a wave starts together."""

_TICK = 0.05
_MARGIN = 3.0
"""Seconds a process gets on top of its own drain before it is killed."""


class System:
    """Store, services and gateway on this machine, as `settings` have it.

    Starting raises a LocalError whose text is one clear line: PortInUse, DataInUse, ChildFailed;
    nothing is left running then.
    """

    def __init__(self, settings: LocalSettings) -> None:
        self.settings = settings
        self._stop = threading.Event()
        self._children: list[Child] = []
        self._resources = ExitStack()
        self._guard: Guard | None = None

    @property
    def gateway(self) -> str:
        """host:port of the gateway."""
        return self.settings.gateway

    @property
    def url(self) -> str:
        """The base of REST paths."""
        return f"http://{self.gateway}"

    def pid(self, name: str) -> int:
        """Answer the process id of a service, of `gateway` or of `eventstore`."""
        return next(child.pid for child in self._children if child.name == name)

    def interrupt(self) -> None:
        """Ask for the end, from a signal handler or another thread."""
        self._stop.set()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything in the order of its needs and wait until it is healthy.

        Raises LocalError; Interrupted if `interrupt` was called meanwhile.
        """
        settings = self.settings
        deadline = time.monotonic() + settings.start
        try:
            lock = DataLock(settings.data)
            self._resources.callback(lock.release)
            check_ports(settings)
            settings.logs.mkdir(parents=True, exist_ok=True)
            gateway = Gateway(settings)
            self._guard = Guard(lock.descriptor)
            self._resources.callback(self._guard.close)
            if settings.serves_store:
                store = f"127.0.0.1:{settings.eventstore_port}"
                self._launch([self._service("eventstore", store)], deadline)
            for wave in _WAVES:
                services = [self._service(name, getattr(settings, name)) for name in wave]
                self._launch(services, deadline)
            self._launch([gateway], deadline)
        except BaseException:
            self.stop()
            raise

    def watch(self) -> None:
        """Return when interrupted; raise ChildFailed as soon as a process ends by itself."""
        while not self._stop.wait(4 * _TICK):
            for child in self._children:
                child.check("ended unexpectedly")

    def stop(self) -> None:
        """Stop everything, the gateway's clients first and the store last; again is harmless."""
        children, self._children = self._children, []
        for child in children:
            if isinstance(child, Gateway):
                child.drain()
        # The gateway goes after the services: it carries their last words to the clients.
        last = ("gateway", "eventstore")
        self._end([child for child in children if child.name not in last])
        for name in last:
            self._end([child for child in children if child.name == name])
        self._resources.close()

    def _service(self, name: str, address: str) -> Child:
        command = python(f"services.{name}")
        return Child(name, command, serving(address), self.settings.logs / f"{name}.log")

    def _launch(self, children: list[Child], deadline: float) -> None:
        assert self._guard is not None
        for child in children:
            child.start(self.settings.environment())
            self._children.append(child)
            self._guard.watch(child.pid)
        waiting = list(children)
        while waiting:
            for child in self._children:
                child.check("did not start" if child in waiting else "ended unexpectedly")
            waiting = [child for child in waiting if not child.healthy()]
            if waiting and time.monotonic() > deadline:
                raise ChildFailed(
                    waiting[0].failure(f"is not healthy after {self.settings.start:g} s")
                )
            if self._stop.wait(_TICK):
                raise Interrupted
        log.info("healthy: %s", ", ".join(child.name for child in children))

    def _end(self, children: list[Child]) -> None:
        until = time.monotonic() + self.settings.drain + _MARGIN
        for child in children:
            child.terminate()
        for child in children:
            child.wait(until)
            if self._guard is not None:
                self._guard.release(child.pid)
