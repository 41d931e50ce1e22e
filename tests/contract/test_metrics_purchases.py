"""Purchases in a real DuckDB: the same rows however the log is cut, and right on any day."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from equiloop.customers.v1 import events_pb2 as customers
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money
from hypothesis import given, settings
from hypothesis import strategies as st

from services.metrics.snapshot import EPOCH
from services.metrics.views import purchases
from services.metrics.views.customers import keys_of
from tests.contract.metrics_views import after, facts_of, fold, opened, rows
from tests.specs.metrics.facts import (
    DAY_ONE,
    assigned,
    bought,
    labelled,
    on,
    refunded,
    registered,
)

FIRST_DAY = (DAY_ONE - EPOCH).days


@st.composite
def histories(draw: st.DrawFn) -> list[Message]:
    """Draw what happened to a few customers, some of whom nobody registered."""
    people = st.sampled_from(["1", "2", "3"])
    labels = st.lists(st.sampled_from(["a", "b", "c"]), max_size=2, unique=True)
    some_days = st.integers(0, 5)
    events: list[Message] = []
    open_amounts: dict[str, tuple[str, int, int, str]] = {}
    known: set[str] = set()
    for number in range(draw(st.integers(1, 25))):
        customer, kind = draw(people), draw(st.integers(0, 6))
        if kind == 0 and customer not in known:
            known.add(customer)
            events.append(registered(customer, *draw(labels), cohort=draw(st.sampled_from("xy"))))
        elif kind == 1 and customer in known:
            events.append(
                labelled(customer, *draw(labels), cohort=draw(st.sampled_from(["", "y"])))
            )
        elif kind == 2:
            events.append(assigned(customer, draw(st.sampled_from("mn"))))
        elif kind == 3 and open_amounts:
            key = draw(st.sampled_from(sorted(open_amounts)))
            whose, left, day, currency = open_amounts[key]
            back = draw(st.integers(0, left))
            open_amounts[key] = whose, left - back, day, currency
            events.append(refunded(key, whose, back, on(day + draw(some_days)), currency))
        else:
            key, day, minor = f"t{number}", draw(some_days), draw(st.integers(0, 99_999))
            currency = draw(st.sampled_from(["USD", "USD", "JPY", "BHD"]))
            open_amounts[key] = customer, minor, day, currency
            events.append(bought(key, customer, minor, on(day, hour=draw(some_days)), currency))
    return events


def summed(db: Any, day: int, currency: str) -> dict[str, list[tuple[int, int]]]:
    """Answer what the view knows to have been bought: (day, minor) by customer."""
    found = purchases.bought(db, day=FIRST_DAY + day, currency=currency)
    names = dict(db.execute("SELECT key, name FROM customer").fetchall())
    answer = defaultdict(list)
    for customer, bought_on, minor in zip(found.customer, found.day, found.minor, strict=True):
        answer[names[customer]].append((int(bought_on) - FIRST_DAY, int(minor)))
    return {name: sorted(days) for name, days in answer.items()}


def by_hand(events: Sequence[Message], day: int, currency: str) -> dict[str, list[tuple[int, int]]]:
    """The same from the events, one by one."""
    made: dict[str, tuple[str, int]] = {}
    left: dict[str, int] = {}
    for event in events:
        match event:
            case customers.TransactionRecorded():
                at, minor = event.purchase_time, digits(event.amount)
                if event.amount.currency_code == currency and days(at) <= day:
                    made[event.transaction] = event.customer, days(at)
                    left[event.transaction] = minor
            case customers.TransactionRefunded():
                if event.transaction in made and days(event.refund_time) <= day:
                    left[event.transaction] -= digits(event.amount)
    answer = defaultdict(list)
    for key, (customer, at_day) in made.items():
        answer[customer].append((at_day, left[key]))
    return {name: sorted(bought) for name, bought in answer.items()}


def days(at: Timestamp) -> int:
    """Answer how many days after the first an instant is."""
    return (at.ToDatetime(tzinfo=UTC) - DAY_ONE).days


def digits(amount: Money) -> int:
    """Answer an amount in minor units, by the digits after its point."""
    after_point = {"USD": 2, "JPY": 0, "BHD": 3}[amount.currency_code]
    return int(amount.units * 10**after_point + amount.nanos // 10 ** (9 - after_point))


@settings(max_examples=25, deadline=None)
@given(histories(), st.data())
def test_however_the_log_is_cut_the_rows_are_the_same(
    events: list[Message], data: st.DataObject
) -> None:
    """One batch or many: keys, labels, purchases and refunds come out alike, and add up."""
    facts = facts_of(events)
    cuts = data.draw(st.sets(st.integers(1, max(1, len(facts) - 1))))
    bounds = [0, *sorted(cut for cut in cuts if cut < len(facts)), len(facts)]
    day, currency = data.draw(st.integers(0, 10)), data.draw(st.sampled_from(["USD", "JPY", "BHD"]))
    with opened() as whole, opened() as parts:
        fold(whole, facts)
        for start, end in pairwise(bounds):
            fold(parts, facts[start:end])
        assert rows(whole) == rows(parts)
        with whole.read() as db:
            assert summed(db, day, currency) == by_hand(events, day, currency)


def test_a_purchase_counts_on_its_day_in_utc() -> None:
    """The last instant of a day belongs to it, the next one to the day after."""
    late = on(3) - timedelta(microseconds=1)
    with after(bought("t1", "1", 100, late), bought("t2", "1", 200, on(3))) as db:
        assert summed(db, 2, "USD") == {"customers/1": [(2, 100)]}
        assert purchases.first_day(db) == FIRST_DAY + 2


def test_a_day_before_1970_is_a_day_too() -> None:
    """Days are counted downwards before the epoch, never towards it."""
    with after(bought("t1", "1", 100, EPOCH - timedelta(seconds=1))) as db:
        assert purchases.first_day(db) == -1


def test_refunds_count_from_the_day_on_which_they_were_made() -> None:
    """On an earlier day the purchase was still whole; several refunds add up."""
    history = (
        bought("t1", "1", 1000, on(0)),
        refunded("t1", "1", 300, on(2, hour=23)),
        refunded("t1", "1", 700, on(4)),
    )
    with after(*history) as db:
        amounts = [summed(db, day, "USD")["customers/1"] for day in (1, 2, 3, 4)]
    assert amounts == [[(0, 1000)], [(0, 700)], [(0, 700)], [(0, 0)]]


def test_only_some_customers_may_be_asked_for() -> None:
    """With keys given, nobody else's purchases are answered."""
    with after(*(bought(f"t{who}", str(who), 100, on(0)) for who in range(5))) as db:
        keys = keys_of(db, ["customers/1", "customers/3", "customers/9"])
        assert keys.keys() == {"customers/1", "customers/3"}
        asked = np.array(sorted(keys.values()))
        found = purchases.bought(db, day=FIRST_DAY, currency="USD", among=asked)
    assert sorted(found.customer.tolist()) == sorted(keys.values())


def test_purchases_in_other_currencies_are_counted_by_customer() -> None:
    """Whoever bought in another currency by the day is named with how often."""
    history = (
        bought("t1", "1", 100, on(0), "EUR"),
        bought("t2", "1", 100, on(1), "JPY"),
        bought("t3", "1", 100, on(9), "EUR"),
        bought("t4", "2", 100, on(0), "USD"),
    )
    with after(*history) as db:
        keys, often = purchases.foreign(db, day=FIRST_DAY + 1, currency="USD")
        assert keys.tolist() == [keys_of(db, ["customers/1"])["customers/1"]]
    assert often.tolist() == [2]
