"""Where everything is on this machine."""

import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any, get_args

from pydantic import Field

from gateway.render import GatewaySettings
from libs.chassis.settings import Service, Settings

SERVICES: tuple[Service, ...] = get_args(Service)


class LocalSettings(GatewaySettings):
    """The settings of services and gateway, and those of the supervisor itself."""

    store: str = Field(
        "",
        description="The log: a URL; empty: the file events.db in the data directory; "
        "`server`: the same file, through services.eventstore",
    )
    eventstore_port: int = Field(2113, description="Port of services.eventstore, on 127.0.0.1")
    logs: Path = Field(Path("var/log"), description="Directory of the logs")
    start: float = Field(120.0, gt=0, description="Seconds for everything to become healthy")

    @property
    def embedded(self) -> str:
        """The URL of the embedded store in the data directory."""
        return f"sqlite:///{self.data / 'events.db'}"

    @property
    def serves_store(self) -> bool:
        """Whether services.eventstore is one of the processes."""
        return self.store == "server"

    @property
    def store_url(self) -> str:
        """The URL by which the services reach the log."""
        if self.serves_store:
            return f"kurrentdb://127.0.0.1:{self.eventstore_port}?tls=false"
        return self.store or self.embedded

    def environment(self) -> dict[str, str]:
        """Answer what a process of the system reads: these settings, and no others."""
        values = self.model_dump(include=set(Settings.model_fields))
        values |= {
            "store": self.store_url,
            "listen": "",
            "eventstore_url": self.embedded,
            "eventstore_host": "127.0.0.1",
            "eventstore_port": self.eventstore_port,
        }
        return {f"EQUILOOP_{name.upper()}": str(value) for name, value in values.items()}


def on_free_ports(**fields: Any) -> LocalSettings:
    """Answer settings with every port a free one, and `fields` as given."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(len(SERVICES) + 3)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        admin, eventstore, *ports = (each.getsockname()[1] for each in sockets)
    names = (*SERVICES, "gateway")
    addresses = {name: f"127.0.0.1:{port}" for name, port in zip(names, ports, strict=True)}
    numbers = {"gateway_admin": admin, "eventstore_port": eventstore}
    return LocalSettings(**{**addresses, **numbers, **fields})
