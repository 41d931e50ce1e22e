"""RecordFeedback at 64 concurrent: direct and through the gateway, against limit and peer."""

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
    """Measure all four in turn, several rounds; ratios are of medians."""
    echo = on_free_ports().gateway
    settings = on_free_ports(data=folder / "data", logs=folder / "log")
    server = subprocess.Popen([sys.executable, "-m", "tests.bench.echo", echo])
    try:
        with System(settings) as system:
            addresses = {"echo": echo, "direct": settings.feedback, "gateway": system.gateway}
            rates: dict[str, list[float]] = {name: [] for name in (*addresses, "peer")}
            for number in range(rounds):
                for name, address in addresses.items():
                    rates[name].append(_load(address, calls))
                rates["peer"].append(peer.rate(_fresh(folder, number), calls // 4))
    finally:
        server.terminate()
        server.wait()
    echoed, peered = median(rates["echo"]), median(rates["peer"])
    direct, gateway = median(rates["direct"]), median(rates["gateway"])
    bare, other = "bare grpc.aio echo", "`eventsourcing` on SQLite, in-process"
    return [
        Row(
            "RecordFeedback, direct",
            f"{direct:,.0f}/s",
            f"{bare}: {echoed:,.0f}/s",
            direct / echoed,
            0.6,
        ),
        Row(
            "RecordFeedback, gateway",
            f"{gateway:,.0f}/s",
            f"{bare}: {echoed:,.0f}/s",
            gateway / echoed,
            0.4,
        ),
        Row(
            "RecordFeedback, direct",
            f"{direct:,.0f}/s",
            f"{other}: {peered:,.0f}/s",
            direct / peered,
            1.0,
        ),
    ]


def _load(address: str, calls: int) -> float:
    command = [sys.executable, "-m", "tests.bench.load", address, str(calls), str(AT_ONCE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _fresh(folder: Path, number: int) -> Path:
    fresh = folder / f"peer-{number}"
    fresh.mkdir()
    return fresh
