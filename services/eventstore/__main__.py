"""Serves an embedded store to other hosts: `python -m services.eventstore`."""

import asyncio
import logging
import sys
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from libs.eventstore.connect import connect
from libs.eventstore.port import StoreError
from libs.telemetry import configure_logs
from services.eventstore.server import Server, stop_signals

log = logging.getLogger(__name__)


class Settings(BaseSettings):
    """What the store needs to know of its surroundings, each with the prefix EQUILOOP_."""

    model_config = SettingsConfigDict(env_prefix="EQUILOOP_", extra="ignore", frozen=True)

    eventstore_url: str = Field("sqlite:///var/eventstore.db", description="The log to serve")
    eventstore_host: str = Field("127.0.0.1", description="Address to listen on")
    eventstore_port: int = Field(2113, ge=0, le=65535, description="0: any free one")
    eventstore_advertised: str = Field("", description="Host that discovery names; empty: as above")
    drain: float = Field(10.0, ge=0, description="Seconds for running calls to end at shutdown")
    log_level: Literal["debug", "info", "warning", "error"] = "info"


async def run(settings: Settings) -> None:
    """Serve until told to stop. Raises StoreError or OSError when that cannot be begun."""
    stop, store = stop_signals(), await connect(settings.eventstore_url)
    try:
        server, host = Server(store), settings.eventstore_host
        port = await server.start(host, settings.eventstore_port, settings.eventstore_advertised)
        print(f"eventstore: ready on {host}:{port}, serving {settings.eventstore_url}", flush=True)
        await stop.wait()
        log.info("draining")
        await server.stop(settings.drain)
    finally:
        await store.close()


try:
    chosen = Settings()
    configure_logs("eventstore", chosen.log_level)
    asyncio.run(run(chosen))
except (ValueError, StoreError, OSError) as error:
    sys.exit(f"eventstore: {error}")
