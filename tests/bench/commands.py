"""RecordFeedback at 64 concurrent: direct and through the gateway, against limit and peer.

The language of what is said is told, but where it says that it is detected.
"""

import subprocess
import sys
from pathlib import Path
from statistics import median

from deploy.local.settings import on_free_ports
from deploy.local.system import System
from tests.bench import peer
from tests.bench.report import Row

AT_ONCE = 64


def measure(folder: Path, calls: int = 6000, rounds: int = 3) -> list[Row]:
    """Measure all of them in turn, several rounds; ratios are of medians."""
    echo = on_free_ports().gateway
    settings = on_free_ports(data=folder / "data", logs=folder / "log")
    server = subprocess.Popen([sys.executable, "-m", "tests.bench.echo", echo])
    try:
        with System(settings) as system:
            loads = {
                "echo": (echo, "en"),
                "direct": (settings.feedback, "en"),
                "detected": (settings.feedback, ""),
                "gateway": (system.gateway, "en"),
            }
            rates: dict[str, list[float]] = {name: [] for name in (*loads, "peer")}
            for number in range(rounds):
                for name, (address, language) in loads.items():
                    rates[name].append(_load(address, calls, language))
                rates["peer"].append(peer.rate(_fresh(folder, number), calls // 4))
    finally:
        server.terminate()
        server.wait()
    found = {name: median(rate) for name, rate in rates.items()}
    echoed = f"bare grpc.aio echo: {found['echo']:,.0f}/s"
    peered = f"`eventsourcing` on SQLite, in-process: {found['peer']:,.0f}/s"

    def row(what: str, name: str, against: str, other: str, goal: float) -> Row:
        figure = f"{found[name]:,.0f}/s"
        return Row(f"RecordFeedback, {what}", figure, against, found[name] / found[other], goal)

    return [
        row("direct", "direct", echoed, "echo", 0.6),
        row("direct, language detected", "detected", echoed, "echo", 0.6),
        row("gateway", "gateway", echoed, "echo", 0.4),
        row("direct", "direct", peered, "peer", 1.0),
    ]


def _load(address: str, calls: int, language: str) -> float:
    """Answer calls per second; the language of what is said is told, or empty and detected."""
    load = (address, str(calls), str(AT_ONCE), language)
    command = [sys.executable, "-m", "tests.bench.load", *load]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _fresh(folder: Path, number: int) -> Path:
    fresh = folder / f"peer-{number}"
    fresh.mkdir()
    return fresh
