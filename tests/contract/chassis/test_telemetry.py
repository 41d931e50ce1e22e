"""One trace from the caller through the call to its events; nothing without a collector."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from equiloop.feedback.v1 import service_pb2 as api
from equiloop.metrics.v1.service_pb2 import WatchCustomerEquityResponse
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from libs.chassis.call import ACTOR, MIN_POSITION, TRACEPARENT, current
from libs.contract.metadata import Metadata
from libs.kernel.refusals import NotFound
from libs.telemetry import Telemetry, configure_logs
from tests.contract.chassis.serving import refused, serving

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
GET = "equiloop.feedback.v1.FeedbackService/GetFeedback"
WATCH = "equiloop.metrics.v1.MetricsService/WatchCustomerEquity"


class Collector(SimpleSpanProcessor):
    """What a collector would have been sent."""

    def __init__(self) -> None:
        self._kept, self._measured = InMemorySpanExporter(), InMemoryMetricReader()
        super().__init__(self._kept)
        self.telemetry, self.ended = Telemetry("test", self, self._measured), asyncio.Event()

    def on_end(self, span: ReadableSpan) -> None:
        super().on_end(span)
        self.ended.set()

    def spans(self) -> list[ReadableSpan]:
        return list(self._kept.get_finished_spans())

    def durations(self) -> Iterator[tuple[object, HistogramDataPoint]]:
        """What was measured, by status."""
        data = self._measured.get_metrics_data()
        assert data is not None
        for metric in data.resource_metrics[0].scope_metrics[0].metrics:
            assert (metric.name, metric.unit) == ("rpc.server.call.duration", "s")
            for point in metric.data.data_points:
                assert isinstance(point, HistogramDataPoint)
                assert point.attributes is not None
                yield point.attributes["rpc.grpc.status_code"], point


@pytest.fixture
def collector() -> Collector:
    return Collector()


async def kept(_: Any) -> api.Feedback:
    """Answer what would be kept beside an event of this call."""
    return api.Feedback(text=current().request(api.RecordFeedbackRequest()).metadata().decode())


def beside(answer: api.Feedback) -> Metadata:
    metadata = Metadata.load(answer.text.encode())
    assert metadata is not None
    return metadata


async def test_the_callers_trace_and_name_reach_the_events() -> None:
    """Without a collector the trace is handed on as it came, with the actor."""
    async with serving(kept) as it:
        metadata = beside(await it.record(metadata=((TRACEPARENT, PARENT), (ACTOR, "people/7"))))
    assert (metadata.traceparent, metadata.actor) == (PARENT, "people/7")


@pytest.mark.parametrize("parent", ["", "garbage", PARENT + "0", PARENT.upper(), "x" * 4000])
async def test_what_is_no_trace_does_not_reach_the_events(parent: str) -> None:
    """History keeps traces, not whatever somebody wrote into that header."""
    async with serving(kept) as it:
        assert beside(await it.record(metadata=((TRACEPARENT, parent),))).traceparent == ""


async def test_a_call_is_a_span_of_the_callers_trace(collector: Collector) -> None:
    """The span has the caller's trace and parent, and the events name the span."""
    async with serving(kept, telemetry=collector.telemetry) as it:
        metadata = beside(await it.record(metadata=((TRACEPARENT, PARENT),)))
    (span,) = collector.spans()
    assert span.context is not None
    assert span.parent is not None
    assert span.name == "equiloop.feedback.v1.FeedbackService/RecordFeedback"
    assert (span.kind, span.status.status_code) == (SpanKind.SERVER, StatusCode.UNSET)
    assert (f"{span.context.trace_id:032x}", span.parent.span_id) == (TRACE, 0xB7AD6B7169203331)
    assert metadata.traceparent == f"00-{TRACE}-{span.context.span_id:016x}-01"


async def test_every_call_is_measured_by_its_outcome(collector: Collector) -> None:
    """Durations are counted by method and status, refusals and answers apart."""
    refuse = False

    async def answer(_: Any) -> api.Feedback:
        if refuse:
            raise NotFound("feedback/7")
        return api.Feedback()

    async with serving(answer, telemetry=collector.telemetry) as it:
        for refuse in (False, True, True):
            await (refused(it.get()) if refuse else it.get())
    counts = {status: point.count for status, point in collector.durations()}
    assert counts == {0: 1, 5: 2}
    assert [span.status.status_code for span in collector.spans()] == [
        StatusCode.UNSET,
        StatusCode.ERROR,
        StatusCode.ERROR,
    ]


async def test_a_stream_that_its_client_leaves_is_cancelled(collector: Collector) -> None:
    """A stream is one span from its beginning to its end, cancelled if the client went."""
    begun = asyncio.Event()

    async def endless(_: Any) -> AsyncIterator[WatchCustomerEquityResponse]:
        yield WatchCustomerEquityResponse()
        begun.set()
        await asyncio.Event().wait()

    async with serving(replies=endless, telemetry=collector.telemetry) as it, asyncio.timeout(10):
        call = it.watch()
        await call.read()
        await begun.wait()
        call.cancel()
        await collector.ended.wait()
    (span,) = collector.spans()
    assert span.attributes is not None
    assert (span.name, span.attributes["rpc.grpc.status_code"]) == (WATCH, 1)


async def test_a_call_may_be_handed_on_to_a_peer() -> None:
    """Actor, trace and the position asked for go along; what did not come is not sent."""
    seen: list[dict[str, str]] = []

    async def answer(_: Any) -> api.Feedback:
        seen.append(dict(current().onward()))
        return api.Feedback()

    along = {ACTOR: "people/7", TRACEPARENT: PARENT, MIN_POSITION: "0"}
    async with serving(answer) as it:
        await it.get(metadata=tuple(along.items()))
        await it.get()
    assert seen == [along, {}]


def test_logs_are_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A line names service, level, logger, time and message; an error brings its traceback."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        configure_logs("feedback", "info")
        logging.getLogger("libs.test").info("hello %s", "there")
        logging.getLogger("libs.test").debug("not shown")
        try:
            raise RuntimeError("unexpected")
        except RuntimeError:
            logging.getLogger("libs.test").exception("failed")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["event"], first["service"], first["level"]) == ("hello there", "feedback", "info")
    assert first["logger"] == "libs.test"
    assert first["timestamp"].endswith("Z")
    assert "RuntimeError: unexpected" in second["exception"]
