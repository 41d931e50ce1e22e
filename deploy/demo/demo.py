"""The phases of the main job, one after the other, timed, and what comes of them."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from equiloop.feedback.v1 import service_pb2 as feedback
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.demo import act, figures, listen, offer, organisation, verify
from deploy.demo.cdnow import read_master, read_sample
from deploy.demo.gateway import Gateway
from deploy.demo.reviews import read_reviews
from deploy.demo.settle import settled
from deploy.demo.show import show
from deploy.local.settings import LocalSettings
from deploy.local.system import System
from libs.eventstore.connect import connect
from libs.eventstore.port import EventStore

Advance = Callable[[int], object]


class Demo:
    """Runs the phases, one progress bar and one line of the report's seconds each."""

    def __init__(self, console: Console) -> None:
        """Show progress on ``console``."""
        self.console = console
        self.report: figures.Report = {"seconds": {}}
        self.progress = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Advance]:
        """Time one phase of ``total`` steps."""
        started = time.perf_counter()
        task = self.progress.add_task(name, total=total)
        yield lambda steps: self.progress.update(task, advance=steps)
        if not self.console.is_terminal:
            print(f"  {name}: {total:,} in {time.perf_counter() - started:.1f} s", flush=True)
        self.report["seconds"][name] = round(time.perf_counter() - started, 3)

    async def run(self, gateway: Gateway, settings: LocalSettings) -> None:
        """Listen, act, value; write the figures into the report."""
        purchases, sample = list(read_master()), {row.customer for row in read_sample()}
        numbers = sorted({row.customer for row in purchases})
        sentences = list(read_reviews())
        with self.phase("customers", len(numbers)) as advance:
            await listen.import_customers(gateway, numbers, sample, advance)
        with self.phase("purchases", len(purchases)) as advance:
            await listen.import_purchases(gateway, purchases, advance)
        with self.phase("organisation", organisation.STEPS) as advance:
            await organisation.organise(gateway, advance)
        with self.phase("feedback", len(sentences)) as advance:
            await listen.import_feedback(gateway, sentences, advance)
        with self.phase("coding and routing", 1) as advance:
            said = await self._heard(gateway, settings)
            advance(1)
        with self.phase("inboxes", len(organisation.FUNCTIONS)) as advance:
            await act.accept(gateway, said, advance)
        with self.phase("actions", len(act.PLANS)) as advance:
            await act.act(gateway, said, advance)
        audience = list(dict.fromkeys(item.customer for item in act.told(said)))
        with self.phase("offer", len(audience)) as advance:
            await offer.offer(gateway, said, audience, advance)
            gateway.position = await settled(settings)
        with self.phase("models", 1) as advance:
            self.report |= await figures.fit(gateway, figures.spend_limit(purchases))
            advance(1)
        await self._ask(gateway, figures.one_told(said, purchases))

    async def _heard(self, gateway: Gateway, settings: LocalSettings) -> list[feedback.Feedback]:
        """Answer what was said once policies have coded and routed it."""
        gateway.position = await settled(settings)
        return await listen.heard(gateway)

    async def _ask(self, gateway: Gateway, told: str) -> None:
        questions: list[Callable[[Gateway], Awaitable[figures.Report]]] = [
            figures.equity,
            figures.funnel,
            figures.themes,
            partial(figures.lineage, name=told),
        ]
        with self.phase("questions", len(questions)) as advance:
            for question in questions:
                self.report |= await question(gateway)
                advance(1)

    async def verify(self, store: EventStore, settings: LocalSettings, before: int) -> None:
        """Rebuild all views and compare them with the live ones; count what was appended."""
        compared = []
        with self.phase("replay and compare", len(verify.SERVICES)) as advance:
            for service in verify.SERVICES:
                live, fresh = settings.data / service, settings.data / "replay" / service
                compared += await verify.compare(store, service, live, fresh)
                advance(1)
        self.report["views"] = {f"{row.service}.{row.table}": row.rows for row in compared}
        self.report["views_equal"] = all(row.equal for row in compared)
        self.report["events_appended"] = await verify.count_events(store, before)
        self.report["events_total"] = await verify.count_events(store, 0)


async def _phases(demo: Demo, system: System) -> None:
    gateway = Gateway(system.gateway)
    try:
        with demo.progress:
            await demo.run(gateway, system.settings)
    finally:
        await gateway.close()


async def _head(url: str) -> int:
    store = await connect(url)
    try:
        return await store.head()
    finally:
        await store.close()


async def _verify(demo: Demo, settings: LocalSettings, url: str, before: int) -> None:
    store = await connect(url)
    try:
        with demo.progress:
            await demo.verify(store, settings, before)
    finally:
        await store.close()


def run(console: Console, settings: LocalSettings, page: Path) -> bool:
    """Run all of it on a system of ``settings``; write the report to ``page``, and show it.

    Answers whether the rebuilt views equal the live ones. Raises what went wrong.
    """
    settings.data.mkdir(parents=True, exist_ok=True)
    log = settings.embedded if settings.serves_store else settings.store_url
    settings = settings.model_copy(update={"coding": "on"})
    demo, started = Demo(console), time.perf_counter()
    before = asyncio.run(_head(log))
    console.print(f"demo: starting the system on {settings.store_url}")
    with System(settings) as system:
        demo.report["seconds"]["start"] = round(time.perf_counter() - started, 3)
        asyncio.run(_phases(demo, system))
    asyncio.run(_verify(demo, settings, log, before))
    demo.report["seconds"]["all"] = round(time.perf_counter() - started, 3)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(json.dumps(demo.report, indent=2) + "\n")
    show(demo.report, console)
    equal: bool = demo.report["views_equal"]
    console.print(
        f"events appended {demo.report['events_appended']:,}, in all "
        f"{demo.report['events_total']:,}; views_equal: {str(equal).lower()}; report: {page}"
    )
    return equal
