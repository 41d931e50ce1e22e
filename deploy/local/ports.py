"""Ports are looked at before anything starts, so that one clear line can say which is taken."""

import errno
import socket

from deploy.local.errors import LocalError, PortInUse
from deploy.local.settings import SERVICES, LocalSettings


def check_ports(settings: LocalSettings) -> None:
    """Raise PortInUse for the first port that is taken, LocalError for an impossible address."""
    for name, address, setting in _wanted(settings):
        host, _, port = address.rpartition(":")
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host.strip("[]"), int(port)))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                message = f"{name} cannot listen on {address} ({error.strerror}): set {setting}"
                raise LocalError(message) from error
            message = (
                f"port {port} of {name} is in use: stop what listens there, "
                f"or choose another with {setting}"
            )
            raise PortInUse(message) from error


def _wanted(settings: LocalSettings) -> list[tuple[str, str, str]]:
    names: tuple[str, ...] = (*SERVICES, "gateway")
    wanted = [(name, str(getattr(settings, name)), f"EQUILOOP_{name.upper()}") for name in names]
    admin = f"127.0.0.1:{settings.gateway_admin}"
    wanted.append(("gateway's admin", admin, "EQUILOOP_GATEWAY_ADMIN"))
    if settings.serves_store:
        store = f"127.0.0.1:{settings.eventstore_port}"
        wanted.append(("eventstore", store, "EQUILOOP_EVENTSTORE_PORT"))
    return wanted
