"""The metrics views in a real DuckDB: rebuilt as they lived, labels and fits as they now are."""

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest
from equiloop.metrics.v1 import events_pb2 as metrics
from equiloop.metrics.v1 import service_pb2 as api
from google.protobuf.message import Message

from libs.contract.events import CODEC
from libs.projection import Projection, rebuild
from libs.projection.duck import DuckDatabase
from services.metrics.views import VIEWS, customers, fits, policies
from tests.contract.metrics_views import (
    TABLES,
    after,
    facts_of,
    fold,
    opened,
    record,
    rows,
    store_with,
)
from tests.specs.metrics.facts import (
    PARETO,
    SPEND,
    assigned,
    bought,
    decided,
    fitted,
    labelled,
    on,
    refunded,
    registered,
)


def long_history() -> list[Message]:
    """Something of everything."""
    people = [str(number) for number in range(40)]
    events: list[Message] = [registered(who, "a", cohort=f"c{int(who) % 3}") for who in people[:30]]
    for number in range(200):
        events.append(bought(f"t{number}", people[number % 40], 100 + number, on(number % 30)))
        if number % 9 == 0:
            events.append(refunded(f"t{number}", people[number % 40], 50, on(31)))
        if number % 11 == 0:
            events.append(assigned(people[number % 40], f"m{number % 4}"))
        if number % 13 == 0:
            events.append(labelled(people[number % 30], "a", "b"))
    return [*events, decided(), fitted(PARETO, "p"), fitted(SPEND, "s"), decided(margin=0.2)]


async def test_a_rebuild_equals_the_views_that_lived(tmp_path: Path) -> None:
    """Views that followed the log in small steps and views built anew at once hold the same."""
    events = long_history()
    store = await store_with(tmp_path / "log.db", events[:50])
    live = Projection(store, CODEC, DuckDatabase(tmp_path / "live"), VIEWS)
    for number, event in enumerate(events[50:]):
        await record(store, event)
        if number % 20 == 0:
            await live.catch_up(await store.head())
    head = await store.head()
    await live.catch_up(head)
    anew = await rebuild(store, CODEC, DuckDatabase(tmp_path / "anew"), VIEWS, head)
    lived, built = rows(live.database), rows(anew.database)  # type: ignore[arg-type]
    assert lived == built
    assert all(lived[table] for table in TABLES)
    for projection in (live, anew):
        await projection.close()
    await store.close()


async def test_garbage_is_collected_again_once_views_have_caught_up(tmp_path: Path) -> None:
    """The collector rests while events come by the thousand, and no longer."""
    store = await store_with(tmp_path / "log.db", long_history())
    live = Projection(store, CODEC, DuckDatabase(tmp_path / "live"), VIEWS)
    assert gc.isenabled()
    following = asyncio.ensure_future(live.run())
    await asyncio.sleep(0)
    assert not gc.isenabled()
    await live.caught_up.wait()
    assert gc.isenabled()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    anew = await rebuild(store, CODEC, DuckDatabase(tmp_path / "anew"), VIEWS, await store.head())
    assert gc.isenabled()
    for projection in (live, anew):
        await projection.close()
    await store.close()


def test_a_batch_that_fails_leaves_nothing_behind() -> None:
    """What was folded of a batch before it failed is undone; the same batch may come again."""
    facts = facts_of([registered("1", "a"), bought("t1", "1", 100, on(0))])
    with opened() as database:
        before = rows(database)

        def change(db: Any) -> None:
            for view in VIEWS[:2]:
                view.fold(db, [fact for fact in facts if type(fact.event) in view.handles])
            raise RuntimeError

        with pytest.raises(RuntimeError):
            database.write(9, change)
        assert rows(database) == before
        assert database.checkpoint() is None
        fold(database, facts)
        assert len(database.rows("purchase")) == 1


LABELS = (
    registered("1", "gold", "web", cohort="x"),
    registered("2", cohort="y"),
    registered("3", "web"),
    assigned("1", "maria"),
    assigned("1", "otto"),
    assigned("2", "maria"),
    labelled("2", "web", cohort="x"),
    bought("t1", "stranger", 100, on(0)),
)


def named(db: Any, keys: Any) -> list[str]:
    names = dict(db.execute("SELECT key, name FROM customer").fetchall())
    return [names[key].removeprefix("customers/") for key in keys]


def test_customers_are_found_by_their_labels_as_they_now_are() -> None:
    """Of cohorts, segments and managers the last counts; conditions narrow one another."""
    with after(*LABELS) as db:
        assert named(db, customers.select(db, cohort="x")) == ["1", "2"]
        assert named(db, customers.select(db, segment="web")) == ["1", "2", "3"]
        assert named(db, customers.select(db, segment="we")) == []
        assert named(db, customers.select(db, manager="managers/maria")) == ["2"]
        assert named(db, customers.select(db, cohort="x", segment="gold")) == ["1"]


def test_customers_are_grouped_by_their_labels() -> None:
    """Who has several segments is in each, who has no label is in the group without a name."""
    with after(*LABELS) as db:
        grouped = {
            grouping: {key: named(db, keys) for key, keys in customers.groups(db, grouping)}
            for grouping in api.EquityGrouping.values()[1:]
        }
    assert grouped == {
        api.EQUITY_GROUPING_COHORT: {"": ["3", "stranger"], "x": ["1", "2"]},
        api.EQUITY_GROUPING_SEGMENT: {
            "": ["stranger"],
            "gold": ["1"],
            "web": ["1", "2", "3"],
        },
        api.EQUITY_GROUPING_CUSTOMER_MANAGER: {
            "": ["3", "stranger"],
            "managers/maria": ["2"],
            "managers/otto": ["1"],
        },
    }
    assert [*grouped[api.EQUITY_GROUPING_SEGMENT]] == ["", "gold", "web"]


def test_the_latest_fit_of_a_kind_in_a_currency_counts() -> None:
    """A later fit of another kind, or in another currency, does not replace it."""
    history = (
        fitted(PARETO, "old"),
        fitted(PARETO, "new"),
        fitted(SPEND, "spend"),
        fitted(PARETO, "euro", currency="EUR"),
    )
    with after(*history) as db:
        latest = fits.latest(db, PARETO, "USD")
        assert latest == history[1]
        assert fits.latest(db, SPEND, "EUR") is None
        assert fits.latest(db, metrics.MODEL_KIND_BG_NBD, "USD") is None


def test_fits_are_listed_from_the_latest_back() -> None:
    """A list goes on before the position at which it ended, within a kind if one is asked for."""
    with after(*(fitted(kind, f"{kind}{n}") for n in (1, 2) for kind in (PARETO, SPEND))) as db:
        first = fits.fitted(db, limit=3)
        rest = fits.fitted(db, before=first[-1][0], limit=3)
        assert [fit.model for _, fit in (*first, *rest)] == [
            f"models/{key}" for key in ("32", "12", "31", "11")
        ]
        only = fits.fitted(db, kind=PARETO, limit=9)
        assert [fit.model for _, fit in only] == ["models/12", "models/11"]


def test_the_last_policy_counts() -> None:
    """Until one was set there is none; then it is the last one, with its revision."""
    with after(registered("1")) as db:
        assert policies.current(db) is None
    with after(decided(margin=0.1), decided(margin=0.2)) as db:
        assert policies.current(db) == (decided(margin=0.2), 1)
