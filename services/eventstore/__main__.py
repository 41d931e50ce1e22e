"""Serves an embedded store to other hosts, and keeps it safe: `python -m services.eventstore`."""

import asyncio
import logging
import sys
from collections.abc import Collection

from libs.eventstore.connect import connect, upkeep
from libs.telemetry import configure_logs
from services.eventstore.cli import main
from services.eventstore.server import Server, stop_signals
from services.eventstore.settings import Settings

log = logging.getLogger(__name__)


async def run(settings: Settings) -> None:
    """Serve until told to stop. Raises StoreError, OSError, ValueError when that cannot begin."""
    security, stop = settings.security(), stop_signals()
    store = await connect(settings.eventstore_url)
    try:
        server, host = Server(store, security), settings.eventstore_host
        port = await server.start(host, settings.eventstore_port, settings.eventstore_advertised)
        print(f"eventstore: ready on {host}:{port}", flush=True)
        await stop.wait()
        log.info("draining")
        await server.stop(settings.drain)
    finally:
        await store.close()


def serve(settings: Settings) -> None:
    """Run a process that serves."""
    configure_logs("eventstore", settings.log_level)
    asyncio.run(run(settings))


def known() -> Collection[str]:
    """Answer the event types of this release."""
    from libs.contract.events import CODEC  # noqa: PLC0415 - only one command wants them

    return CODEC.types


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], serve, upkeep, known))
