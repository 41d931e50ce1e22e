"""FitModel over a real log: fitted once for a request, on what the caller has seen."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from equiloop.metrics.v1 import service_pb2 as api
from google.protobuf.message import Message

from deploy.demo import cdnow
from libs.chassis.call import CURRENT, Call
from libs.contract.events import CODEC
from libs.decider import Decider
from libs.kernel.refusals import AlreadyExists
from libs.kernel.values import timestamp
from libs.projection import Projection
from libs.projection.duck import DuckDatabase
from services.metrics.appraiser import Appraiser
from services.metrics.domain.model import KeepModel, Selection
from services.metrics.service import MetricsService
from services.metrics.views import VIEWS
from tests.contract.metrics_views import record, store_with
from tests.specs.metrics.facts import PARETO, bought, registered

LAST_DAY = datetime(1998, 6, 30, tzinfo=UTC)
NOON = datetime(1998, 6, 30, 12, tzinfo=UTC)
PEOPLE = 200
"""Of CDNOW's sample; the first 150 of them are the cohort `x`."""


def cohort() -> list[Message]:
    """What the first people of CDNOW's sample bought."""
    bought_by: dict[int, list[cdnow.Purchase]] = defaultdict(list)
    for purchase in cdnow.read_sample():
        bought_by[purchase.customer].append(purchase)
    events: list[Message] = []
    for number, (customer, made) in enumerate(islice(bought_by.items(), PEOPLE)):
        events.append(registered(str(customer), cohort="x" if number < 150 else "y"))
        for visit, purchase in enumerate(made):
            at = datetime.combine(purchase.day, time(9), UTC)
            events.append(bought(f"{customer}-{visit}", str(customer), purchase.cents, at))
    return events


COHORT = cohort()


class World:
    """The service over a log, and how often it has fitted."""

    def __init__(self, store: Any, projection: Projection[Any]) -> None:
        self.store, self.projection = store, projection
        self.service = MetricsService(Decider(store, CODEC, lambda: NOON), projection, lambda: NOON)
        self.fits = 0

    async def fit(self, *, seen: int = 0, **fields: Any) -> api.Model:
        CURRENT.set(Call("call", min_position=str(seen or "")))
        usual: dict[str, Any] = {"kind": PARETO, "cohort": "x", "currency_code": "USD"}
        return await self.service.FitModel(api.FitModelRequest(**{**usual, **fields}), None)


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A service whose views have seen all of the log."""
    store = await store_with(tmp_path / "log.db", COHORT)
    projection = Projection(store, CODEC, DuckDatabase(tmp_path / "views"), VIEWS)
    await projection.catch_up(await store.head())
    made = World(store, projection)
    fit = Appraiser.fit

    def counted(self: Appraiser, model: str, selection: Selection) -> KeepModel:
        made.fits += 1
        return fit(self, model, selection)

    monkeypatch.setattr(Appraiser, "fit", counted)
    yield made
    await projection.close()
    await store.close()


async def test_a_request_is_fitted_once(world: World) -> None:
    """Repeated, even after more has happened, it gives the first answer without a second fit."""
    request_id = str(uuid4())
    first = await world.fit(request_id=request_id)
    await record(world.store, bought("more", "4", 900, LAST_DAY))
    await world.projection.catch_up(await world.store.head())
    assert await world.fit(request_id=request_id) == first
    assert world.fits == 1
    with pytest.raises(AlreadyExists):
        await world.fit(request_id=request_id, cohort="y")
    assert world.fits == 1


async def test_a_request_sent_twice_at_once_gives_one_model(world: World) -> None:
    """Whoever comes second is answered by what the first has kept."""
    request_id = str(uuid4())
    one, other = await asyncio.gather(*(world.fit(request_id=request_id) for _ in range(2)))
    assert one == other
    assert (await world.store.head()) == len(COHORT) + 1


async def test_a_fit_looks_at_what_was_selected(world: World) -> None:
    """Only the cohort, up to now where no instant is given; the position says how far the log."""
    model = await world.fit()
    assert model.customer_count == 150
    assert model.selection.as_of == timestamp(NOON)
    assert model.fitted_on_position == len(COHORT)
    everybody = await world.fit(as_of=timestamp(LAST_DAY), cohort="")
    assert everybody.customer_count == PEOPLE
    assert everybody.selection.as_of == timestamp(LAST_DAY)


async def test_a_fit_waits_for_what_its_caller_has_seen(world: World) -> None:
    """With `equiloop-min-position` it is on a log that goes at least so far."""
    await record(world.store, registered("new", cohort="x"), bought("n", "new", 900, LAST_DAY))
    head = await world.store.head()
    waiting = asyncio.ensure_future(world.fit(seen=head))
    await asyncio.sleep(0.05)
    assert world.fits == 0
    await world.projection.catch_up(head)
    model = await waiting
    assert (model.customer_count, model.fitted_on_position) == (151, head)
