"""Feedback taken in through the gateway, and questions to a million items of it."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import grpc
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import routing_service_pb2 as routing
from equiloop.feedback.v1 import service_pb2 as api
from equiloop.feedback.v1.routing_service_pb2_grpc import RoutingServiceStub
from equiloop.feedback.v1.service_pb2_grpc import FeedbackServiceStub

from deploy.demo.gateway import BATCH, Gateway
from deploy.demo.reviews import read_reviews
from deploy.local.child import Child, python, serving
from deploy.local.settings import LocalSettings, on_free_ports
from deploy.local.system import System
from libs.eventstore.connect import connect
from libs.kernel.values import timestamp
from tests.bench.report import Row
from tests.bench.voices import DAYS, START, name, speak

ITEMS = 1_000_000
_PATIENCE = 900.0
"""Seconds in which the views must have caught up."""


def measure(folder: Path, intake: int = 100_000, items: int = ITEMS) -> list[Row]:
    """Measure both."""
    return [
        _intake(folder / "told", intake, "en"),
        _intake(folder / "detected", intake, ""),
        *_questions(folder / "questions", items),
    ]


def _intake(folder: Path, count: int, language: str) -> Row:
    """Import through the gateway, a client stream of batches; an empty language is detected.

    Texts are of twelve words, drawn from reviews as often as they come there.
    """
    rng = random.Random(7)
    words = [word for sentence in read_reviews() for word in sentence.text.split()]

    async def requests() -> AsyncIterator[api.ImportFeedbackRequest]:
        for start in range(0, count, BATCH):
            yield api.ImportFeedbackRequest(
                feedback=[
                    api.RecordFeedbackRequest(
                        channel=events.CHANNEL_WEB,
                        language_code=language,
                        text=" ".join(rng.choices(words, k=12)),
                        receive_time=timestamp(START),
                        source="bench",
                        source_id=str(number),
                    )
                    for number in range(start, min(start + BATCH, count))
                ]
            )

    async def run(address: str) -> float:
        gateway = Gateway(address)
        started = time.perf_counter()
        answer = await gateway.send(gateway.feedback.ImportFeedbackStream(requests()))
        seconds = time.perf_counter() - started
        assert answer.created_count == count
        await gateway.close()
        return count / seconds

    with System(on_free_ports(data=folder / "data", logs=folder / "log")) as system:
        rate = asyncio.run(run(system.gateway))
    how = "told" if language else "detected"
    what = f"{count:,} items of feedback taken in, gateway, language {how}"
    return Row(what, f"{rate:,.0f}/s", "-", rate, 3_000)


def _questions(folder: Path, items: int) -> list[Row]:
    """Ask the feedback service itself, which has folded a market of so many items."""
    settings = on_free_ports(data=folder / "data", logs=folder)
    settings.data.mkdir(parents=True)

    async def write() -> int:
        store = await connect(settings.store_url)
        written = await speak(store, items)
        await store.close()
        return written

    written = asyncio.run(write())
    children = [_start(settings, service, folder) for service in ("feedback", "metrics")]
    try:
        started = time.monotonic()
        _await(children, started + _PATIENCE)
        folded = written / (time.monotonic() - started)
        found = asyncio.run(_ask(settings.feedback, items))
    finally:
        for child in children:
            child.terminate()
            child.wait(time.monotonic() + 10)
    rebuilt = f"after folding {written:,} events, {folded:,.0f}/s"
    return [
        Row(f"{what} at {items:,} items, p99", f"{p99:.0f} ms", rebuilt, p99, 50, below=True)
        for what, p99 in found.items()
    ]


def _start(settings: LocalSettings, service: str, folder: Path) -> Child:
    address = getattr(settings, service)
    module = python(f"services.{service}")
    child = Child(service, module, serving(address), folder / f"{service}.log")
    child.start(settings.environment())
    return child


def _await(children: list[Child], until: float) -> None:
    for child in children:
        while not child.healthy():
            child.check("did not become healthy")
            assert time.monotonic() < until, child.failure("is not healthy yet")
            time.sleep(0.1)


async def _ask(address: str, items: int, times: int = 200) -> dict[str, float]:
    """Answer the 99th percentile of each question, in milliseconds, after a warm-up."""
    rng = random.Random(7)
    async with grpc.aio.insecure_channel(address) as channel:
        stub, inbox = FeedbackServiceStub(channel), RoutingServiceStub(channel)

        def window() -> api.GetFeedbackToActionRequest:
            start = START + timedelta(days=rng.randrange(DAYS - 90))
            return api.GetFeedbackToActionRequest(
                start_time=timestamp(start), end_time=timestamp(start + timedelta(days=90))
            )

        def narrowed() -> api.GetFeedbackToActionRequest:
            request = window()
            request.theme = f"theme-{rng.randrange(30):02d}"
            request.segment = rng.choice(("new", "loyal", "gold"))
            return request

        questions: dict[str, Callable[[], Awaitable[object]]] = {
            "funnel of a quarter": lambda: stub.GetFeedbackToAction(window()),
            "funnel of a quarter, theme and segment": lambda: stub.GetFeedbackToAction(narrowed()),
            "funnel of all": lambda: stub.GetFeedbackToAction(api.GetFeedbackToActionRequest()),
            "inbox": lambda: inbox.ListInbox(
                routing.ListInboxRequest(function=f"functions/f{rng.randrange(8)}")
            ),
            "open loops": lambda: stub.ListOpenLoops(api.ListOpenLoopsRequest()),
            "trace": lambda: stub.TraceFeedback(
                api.TraceFeedbackRequest(name=name(rng.randrange(items)))
            ),
        }
        return {what: await _p99(ask, times) for what, ask in questions.items()}


async def _p99(ask: Callable[[], Awaitable[object]], times: int) -> float:
    await ask()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        await ask()
        taken.append(time.perf_counter() - started)
    return sorted(taken)[int(0.99 * times)] * 1000
