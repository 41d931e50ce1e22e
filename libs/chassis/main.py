"""Runs a service from start to drain: what `python -m services.<name>` does."""

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import ValidationError

from libs.chassis.handlers import Wrapper
from libs.chassis.operations import Operations
from libs.chassis.server import Register, Server, gate
from libs.chassis.settings import Service, Settings
from libs.contract.parse import violations
from libs.eventstore.port import EventStore, StoreError
from libs.projection import Projection
from libs.projection.mirror import Mirror
from libs.projection.reactor import Reactor
from libs.projection.ticker import Ticker
from libs.projection.watchdog import LOOK
from libs.telemetry import Telemetry, configure_logs

log = logging.getLogger(__name__)


class Runner(Protocol):
    """Something that runs beside the server for as long as it does."""

    async def run(self) -> None:
        """Run until cancelled."""
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...


@dataclass(frozen=True)
class Parts:
    """What a composition root puts together."""

    store: EventStore
    services: Sequence[Register]
    projections: Sequence[Projection[Any]] = ()
    reactors: Sequence[Reactor] = ()
    closing: Sequence[Callable[[], Awaitable[None]]] = field(default_factory=tuple)
    tickers: Sequence[Ticker] = ()
    mirrors: Sequence[Mirror] = ()


Compose = Callable[[Settings], Awaitable[Parts]]


def main(service: Service, compose: Compose) -> None:
    """Run ``service`` until SIGTERM or SIGINT; exit with one clear line when it cannot start."""
    try:
        settings = Settings()
    except ValidationError as error:
        wrong = (f"EQUILOOP_{v.field.upper()}: {v.description}" for v in violations(error))
        sys.exit(f"{service}: wrong settings: {'; '.join(wrong)}")
    configure_logs(service, settings.log_level)
    try:
        asyncio.run(_run(service, settings, compose))
    except (StoreError, OSError) as error:
        sys.exit(f"{service}: {error}")


async def _run(service: Service, settings: Settings, compose: Compose) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    telemetry = Telemetry.to(service, settings.otlp_endpoint)
    async with AsyncExitStack() as stack:
        stack.callback(telemetry.close)
        try:
            parts = await compose(settings)
        except ValueError as error:  # a store's URL that names none
            raise OSError(str(error)) from error
        stack.push_async_callback(parts.store.close)
        for close in parts.closing:
            stack.push_async_callback(close)
        for projection in parts.projections:
            await projection.check()
        wait = gate([projection.wait for projection in parts.projections])
        wrapper = Wrapper(telemetry, settings.deadline, wait, settings.max_concurrent)
        operations = Operations(parts.store, parts.projections, parts.reactors)
        telemetry.follow(operations.measure)
        server = Server(settings, wrapper, [*parts.services, operations.register])
        tasks = [asyncio.create_task(_ready(server, parts))]
        runners: Sequence[Runner] = (
            *parts.projections,
            *parts.reactors,
            *parts.tickers,
            *parts.mirrors,
        )
        for runner in runners:
            stack.push_async_callback(runner.close)
            tasks.append(asyncio.create_task(runner.run()))
        tasks += [
            asyncio.create_task(operations.watchdog.run()),
            asyncio.create_task(_report_views(server, operations)),
        ]
        stack.push_async_callback(operations.close)
        stack.push_async_callback(_cancel, tasks)
        await server.start(settings.address(service))
        log.info("listening on %s", settings.address(service))
        await stop.wait()
        log.info("draining")
        await server.drain()


async def _ready(server: Server, parts: Parts) -> None:
    """Report ready once views and mirrors have caught up; from then on the service serves."""
    views = [each.caught_up for each in parts.projections]
    mirrors = [each.caught_up for each in parts.mirrors]
    for caught_up in (*views, *mirrors):
        await caught_up.wait()
    await server.report(ready=True)
    log.info("ready")


async def _report_views(server: Server, operations: Operations) -> None:
    """Report as it changes whether the views have all that they should."""
    was_well = False
    while True:
        is_well = operations.is_well()
        if is_well != was_well:
            await server.report_views(well=is_well)
            was_well = is_well
        await asyncio.sleep(LOOK)


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for error in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(error, Exception):
            log.error("ended with: %s", error)
