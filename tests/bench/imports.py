"""Purchases imported per second, through the gateway, as a client stream of batches."""

import asyncio
import time
from pathlib import Path

from deploy.demo.cdnow import read_master
from deploy.demo.gateway import Gateway
from deploy.demo.listen import import_customers, import_purchases
from deploy.local.settings import on_free_ports
from deploy.local.system import System
from tests.bench.report import Row


def measure(folder: Path) -> list[Row]:
    """Import all 69,659 purchases of CDNOW into an empty system."""
    purchases = list(read_master())
    numbers = sorted({row.customer for row in purchases})

    async def run(address: str) -> tuple[float, float]:
        gateway = Gateway(address)
        started = time.perf_counter()
        await import_customers(gateway, numbers, set(), lambda _: None)
        between = time.perf_counter()
        await import_purchases(gateway, purchases, lambda _: None)
        ended = time.perf_counter()
        await gateway.close()
        return len(numbers) / (between - started), len(purchases) / (ended - between)

    with System(on_free_ports(data=folder / "data", logs=folder / "log")) as system:
        customers, bought = asyncio.run(run(system.gateway))
    return [
        Row("customers imported, gateway", f"{customers:,.0f}/s", "-", customers, 5_000),
        Row("purchases imported, gateway", f"{bought:,.0f}/s", "-", bought, 5_000),
    ]
