"""Serves an embedded store to other hosts: `python -m services.eventstore`."""

import asyncio
import logging
import sys

from libs.eventstore.connect import connect
from libs.eventstore.port import StoreError
from libs.telemetry import configure_logs
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


if __name__ == "__main__":
    try:
        chosen = Settings()
        configure_logs("eventstore", chosen.log_level)
        asyncio.run(run(chosen))
    except (ValueError, StoreError, OSError) as error:
        sys.exit(f"eventstore: {error}")
