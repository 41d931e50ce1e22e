"""Questions of worth, asked of real views: who counts, in which group, as of when."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from equiloop.feedback.v1.events_pb2 import FeedbackCoded
from equiloop.metrics.v1 import service_pb2 as api
from google.protobuf.message import Message

from libs.contract.events import CODEC
from libs.eventstore.sqlite import SqliteStore
from libs.kernel.money import to_minor
from libs.kernel.refusals import Invalid, NotFound, Refusal
from libs.kernel.values import timestamp
from libs.projection import Projection
from libs.projection.duck import DuckDatabase
from services.metrics import questions
from services.metrics.appraiser import Appraiser
from services.metrics.domain.model import Selection
from services.metrics.views import VIEWS
from tests.contract.metrics_views import record, store_with
from tests.specs.given import NOW
from tests.specs.metrics.facts import (
    PARETO,
    SPEND,
    assigned,
    bought,
    decided,
    fitted,
    on,
    refunded,
    registered,
)

READY = (decided(), fitted(PARETO, "p"), fitted(SPEND, "s"))
"""What values rest on."""

LABELLED = tuple(
    event
    for number in range(12)
    for event in (
        registered(
            str(number), *(["web"] if number % 2 else ["web", "vip"]), cohort=f"c{number % 3}"
        ),
        assigned(str(number), "maria" if number < 4 else "otto"),
    )
)


def purchases(seed: int = 7) -> list[Message]:
    """Half a year of purchases of twelve customers, a third of whom came once."""
    random = Random(seed)
    made: list[Message] = []
    for number in range(12):
        for visit in range(1 if number % 3 == 0 else 2 + number):
            minor, day = random.randrange(500, 9_000), random.randrange(60)
            made.append(bought(f"t{number}-{visit}", str(number), minor, on(day)))
    return made


class Asked:
    """An appraiser of a log, which may go on."""

    def __init__(self, store: SqliteStore, projection: Projection[Any]) -> None:
        self._store, self._projection = store, projection
        self.appraiser, self.views = Appraiser(projection, lambda: NOW), projection.database

    async def then(self, *events: Message) -> None:
        """Let more happen."""
        await record(self._store, *events)
        await self._projection.catch_up(await self._store.head())

    def equity(self, **fields: Any) -> api.CustomerEquity:
        return self.appraiser.equity(questions.Equity(**fields))

    def cents(self, **fields: Any) -> int:
        return to_minor(self.equity(**fields).total.total.equity)

    def values(self, *names: str, **fields: Any) -> api.GetCustomerValuesResponse:
        asked = tuple(f"customers/{name}" for name in names)
        return self.appraiser.values(questions.Values(customers=asked, **fields))


World = Callable[[Sequence[Message]], Any]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Answers an appraiser of a log of its own in which these events have happened."""
    count = iter(range(100))

    @asynccontextmanager
    async def build(events: Sequence[Message]) -> AsyncIterator[Asked]:
        folder = tmp_path / str(next(count))
        folder.mkdir()
        store = await store_with(folder / "log.db", events)
        projection = Projection(store, CODEC, DuckDatabase(folder / "views"), VIEWS)
        await projection.catch_up(await store.head())
        yield Asked(store, projection)
        await projection.close()
        await store.close()

    return build


async def test_equity_is_the_sum_of_what_each_is_worth(world: World) -> None:
    """The total is that of the single values, and its two parts make it up, to rounding."""
    async with world([*LABELLED, *purchases(), *READY]) as asked:
        total = asked.equity().total
        values = asked.values(*(str(number) for number in range(12))).values
    worth = sum(to_minor(value.clv) for value in values)
    assert abs(to_minor(total.total.equity) - worth) <= len(values)
    parts = total.with_repeat, total.without_repeat
    assert abs(sum(to_minor(part.equity) for part in parts) - to_minor(total.total.equity)) <= 1
    assert [part.customer_count for part in parts] == [8, 4]
    assert total.total.customer_count == 12
    assert sum(value.repeat_count > 0 for value in values) == 8
    mean = to_minor(total.total.mean_clv)
    assert abs(mean * 12 - to_minor(total.total.equity)) <= 6


async def test_the_order_of_the_log_does_not_move_a_cent(world: World) -> None:
    """The same purchases recorded in another order are worth the same, to every figure."""
    bought_in_order = purchases()
    shuffled = list(bought_in_order)
    Random(3).shuffle(shuffled)
    answers = []
    for history in (bought_in_order, shuffled):
        async with world([*history, *READY]) as asked:
            answer = asked.equity()
            answer.ClearField("position")
            values = asked.values(*(str(number) for number in range(12)))
            answers.append((answer, values))
    assert answers[0] == answers[1]


async def test_a_past_day_is_worth_what_it_was(world: World) -> None:
    """Later purchases, refunds and customers do not change what a past day shows."""
    before = [*LABELLED, *purchases(), *READY]
    async with world(before) as asked:
        then = asked.equity(as_of=on(70))
        now = asked.cents()
        await asked.then(
            bought("late", "1", 100_00, on(71)),
            refunded("t1-0", "1", 100, on(71)),
            bought("new", "99", 100_00, on(72)),
        )
        again = asked.equity(as_of=on(70))
        assert again.position > then.position
        again.position = then.position
        assert again == then
        assert asked.cents() != now


async def test_figures_follow_the_log(world: World) -> None:
    """Whatever is recorded counts in the next answer: a purchase, a policy, a model."""
    async with world([*purchases(), *READY]) as asked:
        figures = [asked.cents()]
        for event in (bought("x", "1", 900, on(90)), decided(margin=0.4), fitted(PARETO, "p2")):
            await asked.then(event)
            figures.append(asked.cents())
        assert asked.equity().purchase_model == "models/p2"
    assert figures[0] != figures[1] != figures[2] == figures[3]


async def test_groups_hold_whom_their_label_names(world: World) -> None:
    """A cohort is worth the same as a group and as a filter; groups stand in their keys' order."""
    async with world(
        [*LABELLED, *purchases(), bought("s", "stranger", 100, on(0)), *READY]
    ) as asked:
        grouped = asked.equity(group_by=api.EQUITY_GROUPING_COHORT)
        assert [group.key for group in grouped.groups] == ["", "c0", "c1", "c2"]
        for group in grouped.groups[1:]:
            narrowed = asked.equity(cohort=group.key).total
            narrowed.key = group.key
            assert narrowed == group
        managed = asked.equity(group_by=api.EQUITY_GROUPING_CUSTOMER_MANAGER, segment="vip")
        counts = {group.key: group.total.customer_count for group in managed.groups}
    assert counts == {"managers/maria": 2, "managers/otto": 4}
    assert managed.total.total.customer_count == 6


async def test_a_customer_counts_in_each_segment_and_once_in_the_total(world: World) -> None:
    """Groups by segment may hold more than all customers; the total does not."""
    async with world([*LABELLED, *purchases(), *READY]) as asked:
        answer = asked.equity(group_by=api.EQUITY_GROUPING_SEGMENT)
    counts = {group.key: group.total.customer_count for group in answer.groups}
    assert counts == {"vip": 6, "web": 12}
    assert answer.total.total.customer_count == 12


async def test_who_spent_more_than_the_limit_is_left_out_and_counted(world: World) -> None:
    """The limit itself may be spent; a cent more leaves out, by the spending up to the day."""
    history = [
        bought("a", "1", 5000, on(0)),
        bought("b", "2", 5000, on(0)),
        bought("c", "2", 1, on(1)),
        bought("d", "3", 5001, on(0)),
        refunded("d", "3", 1, on(2)),
        *READY,
        decided(limit=5000),
    ]
    async with world(history) as asked:
        group_by = api.EQUITY_GROUPING_COHORT
        by_day = [asked.equity(as_of=on(day), group_by=group_by) for day in (0, 1, 2)]
    assert [answer.left_out_customer_count for answer in by_day] == [1, 2, 1]
    assert [answer.total.total.customer_count for answer in by_day] == [2, 1, 2]
    assert [answer.groups[0].total for answer in by_day] == [a.total.total for a in by_day]


async def test_other_currencies_are_left_out_and_counted(world: World) -> None:
    """Purchases in another currency are worth nothing here; only those asked about count."""
    history = [
        registered("1", cohort="x"),
        bought("a", "1", 5000, on(0)),
        bought("b", "1", 5000, on(1), "EUR"),
        bought("c", "2", 5000, on(1), "JPY"),
        bought("d", "2", 5000, on(9), "JPY"),
        *READY,
    ]
    async with world(history) as asked:
        answer = asked.equity()
        assert (answer.total.total.customer_count, answer.left_out_purchase_count) == (1, 3)
        assert asked.equity(as_of=on(1)).left_out_purchase_count == 2
        assert asked.equity(cohort="x").left_out_purchase_count == 1


async def test_nobody_has_no_mean(world: World) -> None:
    """Equity of nobody is nothing, and a mean of it there is not."""
    async with world([*purchases(), *READY]) as asked:
        nobody = asked.equity(cohort="none").total.total
    assert nobody.customer_count == 0
    assert to_minor(nobody.equity) == 0
    assert not nobody.HasField("mean_clv")


async def test_values_come_in_the_order_asked(world: World) -> None:
    """Each customer once, at his first mention; who did not buy by the day stands apart."""
    history = [registered("9"), *purchases(), bought("late", "8x", 100, on(80)), *READY]
    async with world(history) as asked:
        answer = asked.values("7", "9x", "3", "7", "8x", as_of=on(61))
        single = asked.appraiser.value(questions.Value(customer="customers/3", as_of=on(61)))
    assert [value.customer for value in answer.values] == ["customers/7", "customers/3"]
    assert answer.customers_without_purchase == ["customers/9x", "customers/8x"]
    assert answer.values[1] == single


async def test_values_say_what_they_rest_on(world: World) -> None:
    """An answer names the instant, the models, and the position up to which purchases were seen."""
    async with world([*purchases(), *READY]) as asked:
        answer = asked.values("7", as_of=on(61))
        equity = asked.equity(as_of=on(61))
    assert (answer.purchase_model, answer.spend_model) == ("models/p", "models/s")
    assert answer.as_of == timestamp(on(61))
    assert answer.position == equity.position > 0


async def test_who_never_bought_has_no_value(world: World) -> None:
    """Neither an unknown customer nor one who is only known, nor one who bought later."""
    history = [registered("idle"), *purchases(), bought("late", "later", 100, on(80)), *READY]
    async with world(history) as asked:
        for customer in ("customers/idle", "customers/nobody", "customers/later"):
            with pytest.raises(NotFound) as caught:
                asked.appraiser.value(questions.Value(customer=customer, as_of=on(70)))
            assert caught.value.metadata["resource"] == customer


@pytest.mark.parametrize(
    ("there", "reason", "missing"),
    [
        ((), "EQUITY_POLICY_NOT_SET", ""),
        (READY[:1], "MODEL_NOT_FITTED", "MODEL_KIND_PARETO_NBD, MODEL_KIND_GAMMA_GAMMA"),
        (READY[:2], "MODEL_NOT_FITTED", "MODEL_KIND_GAMMA_GAMMA"),
        (
            (*READY, decided(currency="EUR"), fitted(SPEND, "s2", currency="EUR")),
            "MODEL_NOT_FITTED",
            "MODEL_KIND_PARETO_NBD",
        ),
    ],
)
async def test_nothing_is_valued_before_policy_and_models_are_there(
    world: World, there: tuple[Message, ...], reason: str, missing: str
) -> None:
    """What is missing is named; a fit on another currency than the policy's is no fit."""
    async with world([*purchases(), *there]) as asked:
        for ask in (asked.equity, lambda: asked.values("1")):
            with pytest.raises(Refusal) as caught:
                ask()
            assert caught.value.reason == reason
            assert caught.value.metadata.get("kinds", "") == missing


async def test_an_instant_that_cannot_be_asked_about_is_named(world: World) -> None:
    """Neither the future, nor a day before the first purchase, which is told."""
    async with world([*purchases(), *READY]) as asked:
        for as_of, told in ((NOW + timedelta(hours=1), "future"), (on(-1), "2024-01-0")):
            select = Selection(kind=PARETO, as_of=as_of, currency_code="USD")
            for ask in (
                partial(asked.equity, as_of=as_of),
                partial(asked.values, "1", as_of=as_of),
                partial(asked.appraiser.fit, "models/1", select),
            ):
                with pytest.raises(Invalid) as caught:
                    ask()
                (violation,) = caught.value.violations
                assert violation.field == "as_of"
                assert told in violation.description


async def test_too_few_customers_cannot_be_fitted(world: World) -> None:
    """A cohort that says nothing about differences is refused, with how many it has."""
    async with world([*LABELLED, *purchases()]) as asked:
        select = Selection(kind=PARETO, cohort="c1", as_of=NOW, currency_code="USD")
        with pytest.raises(Refusal) as caught:
            asked.appraiser.fit("models/1", select)
    assert caught.value.reason == "FIT_FAILED"
    assert caught.value.metadata == {"customers": "4"}


async def test_the_position_is_how_far_the_log_was_looked_at(world: World) -> None:
    """It goes on where nothing concerns these views, and is never behind the rows it speaks of."""
    async with world([*purchases(), *READY]) as asked:
        before = asked.equity()
        await asked.then(FeedbackCoded())
        assert asked.equity().position == before.position + 1
        asked.views.write(before.position + 9, lambda _: None)
        assert asked.equity().position == before.position + 9
