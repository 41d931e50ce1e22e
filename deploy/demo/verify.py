"""Rebuilds every view from the log into a fresh place and compares it with the live one."""

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from libs.contract.events import CODEC
from libs.eventstore.port import EventStore
from libs.projection import Database, View, rebuild
from libs.projection.duck import DuckDatabase
from libs.projection.parking import PARKING
from libs.projection.runner import digest
from libs.projection.sqlite import SqliteDatabase
from services.customers.views import VIEWS as CUSTOMERS
from services.feedback.views import VIEWS as FEEDBACK
from services.metrics.views import VIEWS as METRICS
from services.offers.views import VIEWS as OFFERS

_SERVICES: dict[str, tuple[type[Any], Sequence[View[Any]]]] = {
    "customers": (SqliteDatabase, CUSTOMERS),
    "feedback": (SqliteDatabase, FEEDBACK),
    "offers": (SqliteDatabase, OFFERS),
    "metrics": (DuckDatabase, METRICS),
}
SERVICES = tuple(_SERVICES)


@dataclass(frozen=True, slots=True)
class Compared:
    """One table, live and rebuilt."""

    service: str
    table: str
    rows: int
    equal: bool


async def compare(store: EventStore, service: str, live: Path, fresh: Path) -> list[Compared]:
    """Rebuild the views of one service up to the head of the log; compare all their rows.

    Streams that the live views hold back are compared with none; Poisoned tells of those that
    cannot be folded now.

    ``live`` is the service's own folder of read models; no process may have it open.
    """
    kind, views = _SERVICES[service]
    shutil.rmtree(fresh, ignore_errors=True)
    rebuilt = await rebuild(store, CODEC, kind(fresh), views, await store.head())
    running: Database[Any] = kind(live)
    running.open([*(view.schema for view in views), *PARKING], digest(views))
    try:
        return await asyncio.to_thread(_tables, service, views, running, rebuilt.database)
    finally:
        running.close()
        await rebuilt.close()
        shutil.rmtree(fresh, ignore_errors=True)


def _tables(
    service: str, views: Sequence[View[Any]], live: Database[Any], fresh: Database[Any]
) -> list[Compared]:
    compared = []
    for table in (table for view in views for table in view.tables):
        ours, theirs = live.rows(table), fresh.rows(table)
        compared.append(Compared(service, table, len(theirs), ours == theirs))
    if held := live.rows("parked"):
        compared.append(Compared(service, "parked", len(held), equal=False))
    return compared


async def count_events(store: EventStore, after: int) -> int:
    """Answer how many events the log holds after position ``after``."""
    count = 0
    async for batch in store.read_all(start=after + 1, batch=4096):
        count += len(batch.events)
    return count
