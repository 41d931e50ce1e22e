"""OpenTelemetry: a span and a duration for every call, sent to a collector when there is one.

Declared here: spans named after the full method (`equiloop.feedback.v1.FeedbackService/…`) with
`rpc.system`, `rpc.method` and `rpc.grpc.status_code`; the histogram `rpc.server.call.duration`
in seconds with `rpc.method` and `rpc.grpc.status_code`. What `following.py` declares comes along.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from libs.telemetry.following import Measure, declare

_CANCELLED = 1  # gRPC's status of a call whose client has gone
_PROPAGATOR = TraceContextTextMapPropagator()


@dataclass(slots=True)
class Observed:
    """A call under observation: its trace context, and the status that it ends with."""

    traceparent: str
    status: int = 0


class Telemetry:
    """Traces and measures calls; without exporters it only hands the trace context on."""

    def __init__(
        self, service: str, spans: SpanProcessor | None = None, metrics: MetricReader | None = None
    ) -> None:
        """Observe ``service`` if there is somewhere to send it."""
        self.enabled = spans is not None
        if spans is None:
            return
        resource = Resource.create({"service.name": f"equiloop-{service}"})
        self._traces = TracerProvider(resource=resource)
        self._traces.add_span_processor(spans)
        self._tracer = self._traces.get_tracer("equiloop")
        self._metrics = MeterProvider([metrics] if metrics else [], resource=resource)
        self._duration = self._metrics.get_meter("equiloop").create_histogram(
            "rpc.server.call.duration", unit="s", description="Duration of calls answered"
        )

    @classmethod
    def to(cls, service: str, endpoint: str) -> "Telemetry":
        """Send to the OTLP/gRPC collector at ``endpoint``; to nobody if that is empty."""
        if not endpoint:
            return cls(service)
        insecure = not endpoint.startswith("https://")
        return cls(
            service,
            BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, insecure=insecure)),
            PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=endpoint, insecure=insecure)),
        )

    def follow(self, measure: Measure) -> None:
        """Measure how what follows the log gets on; ``measure`` is asked in another thread."""
        if self.enabled:
            declare(self._metrics.get_meter("equiloop"), measure)

    @contextmanager
    def call(self, method: str, traceparent: str) -> Iterator[Observed]:
        """Observe one call that came with ``traceparent``."""
        if not self.enabled:
            yield Observed(traceparent)
            return
        parent = _PROPAGATOR.extract({"traceparent": traceparent})
        started = time.perf_counter()
        attributes: dict[str, str] = {"rpc.system": "grpc", "rpc.method": method}
        # The span is handed on by name, not as the current one: what streams a reply may be
        # resumed and ended in another context than it began in.
        span = self._tracer.start_span(method, parent, trace.SpanKind.SERVER, attributes)
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, trace.set_span_in_context(span))
        observed = Observed(carrier["traceparent"])
        try:
            yield observed
        except BaseException:
            observed.status = observed.status or _CANCELLED
            raise
        finally:
            span.set_attribute("rpc.grpc.status_code", observed.status)
            if observed.status:
                span.set_status(trace.StatusCode.ERROR)
            span.end()
            labels: dict[str, str | int] = {
                "rpc.method": method,
                "rpc.grpc.status_code": observed.status,
            }
            self._duration.record(time.perf_counter() - started, labels)

    def close(self) -> None:
        """Send what is left."""
        if self.enabled:
            self._traces.shutdown()
            self._metrics.shutdown()
