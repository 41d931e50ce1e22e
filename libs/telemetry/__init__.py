"""Logs, traces and metrics. Nothing is sent, and next to nothing is done, without a collector."""

from libs.telemetry.logs import configure_logs
from libs.telemetry.tracing import Telemetry

__all__ = ["Telemetry", "configure_logs"]
