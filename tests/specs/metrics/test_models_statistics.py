"""From purchases to x, t_x, T and spend: the conventions, on hand-made and on real customers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from deploy.demo import cdnow
from services.metrics.models.statistics import (
    BuyingHistory,
    CustomerStatistics,
    customer_statistics,
)
from tests.specs.metrics.cohorts import floats, history, master, sample

Rows = list[tuple[int, int, int]]


def summarise(rows: Rows, as_of: int, exponent: int = 2) -> CustomerStatistics:
    customer, day, minor = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return customer_statistics(customer, day, minor, as_of=as_of, exponent=exponent)


def assert_same(one: CustomerStatistics, other: CustomerStatistics) -> None:
    for name in ("customer", "x", "t_x", "T", "spend", "m"):
        assert_array_equal(getattr(one, name), getattr(other, name))


def test_a_customer_is_summarised_in_weeks_and_purchase_days() -> None:
    """Repeat days are those after the first; t_x and T are weeks; m leaves the first day out."""
    found = summarise([(7, 100, 1_000), (7, 107, 2_000), (7, 121, 4_001)], as_of=135)

    assert (found.customer.tolist(), found.x.tolist()) == ([7], [2.0])
    assert (found.t_x.tolist(), found.T.tolist()) == ([3.0], [5.0])
    assert (found.spend.tolist(), found.m.tolist()) == ([7_001], [30.005])


def test_purchases_of_one_day_are_one_purchase() -> None:
    """Three baskets on two days make one repeat purchase, of the second day's sum."""
    found = summarise([(1, 10, 100), (1, 12, 300), (1, 12, 500)], as_of=12)

    assert (found.x.tolist(), found.m.tolist(), found.spend.tolist()) == ([1.0], [8.0], [900])


def test_the_future_does_not_exist_yet() -> None:
    """Purchases after the as-of day are not seen, nor customers who first buy after it."""
    rows = [(1, 10, 100), (1, 20, 100), (1, 21, 100), (2, 21, 100)]

    assert_same(summarise(rows, as_of=20), summarise(rows[:2], as_of=20))


def test_a_free_or_wholly_refunded_purchase_is_a_purchase_day() -> None:
    """A repeat day of net amount 0 counts in x and lowers the mean spend."""
    found = summarise([(1, 10, 500), (1, 11, 0), (1, 12, 300)], as_of=20)

    assert (found.x.tolist(), found.m.tolist()) == ([2.0], [1.5])


@pytest.mark.parametrize(("exponent", "m"), [(0, 1234.0), (2, 12.34), (3, 1.234)])
def test_minor_units_are_those_of_the_currency(exponent: int, m: float) -> None:
    """The same minor units are yen, dollars or dinars by the decimal places of the currency."""
    assert summarise([(1, 1, 5), (1, 2, 1_234)], as_of=2, exponent=exponent).m.tolist() == [m]


def test_no_purchases_make_no_customers() -> None:
    """An as-of day before the first purchase gives empty columns, not an error."""
    found = summarise([(1, 10, 100)], as_of=9)

    assert len(found) == 0
    assert len(found.history) == 0


def test_a_negative_amount_is_refused() -> None:
    """A refund is netted into its purchase beforehand; as a row of its own it is an error."""
    with pytest.raises(ValueError, match=r"amount -1: a purchase net of its refunds"):
        summarise([(1, 10, 100), (1, 10, -1)], as_of=10)


def test_amounts_beyond_64_bits_are_refused() -> None:
    """Sums that could wrap around are refused rather than wrong."""
    with pytest.raises(OverflowError, match="64-bit"):
        summarise([(1, 10, 2**62), (1, 11, 2**62)], as_of=11)


def test_columns_of_different_length_are_refused() -> None:
    """Three columns that do not belong together are an error."""
    with pytest.raises(ValueError, match="equally long"):
        customer_statistics(np.array([1, 2]), np.array([1]), np.array([1]), as_of=1, exponent=2)


@given(
    st.lists(
        st.tuples(st.integers(-3, 5), st.integers(-20, 20), st.integers(0, 10**9)), max_size=40
    ).flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))),
    st.integers(-20, 25),
)
def test_the_order_of_purchases_cannot_be_seen(rows: tuple[Rows, Rows], as_of: int) -> None:
    """Any order of the same purchases gives the same statistics, bit for bit."""
    assert_same(summarise(rows[0], as_of), summarise(rows[1], as_of))


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30), st.integers(0, 10**6)), max_size=40),
    st.integers(0, 30),
)
def test_statistics_agree_with_counting_by_hand(rows: Rows, as_of: int) -> None:
    """A plain loop over each customer's purchases finds the same numbers."""
    found = summarise(rows, as_of)

    seen = [row for row in rows if row[1] <= as_of]
    assert found.customer.tolist() == sorted({customer for customer, _, _ in seen})
    for i, key in enumerate(found.customer.tolist()):
        mine = [(day, minor) for customer, day, minor in seen if customer == key]
        days = sorted({day for day, _ in mine})
        repeat = sum(minor for day, minor in mine if day > days[0])
        assert found.x[i] == len(days) - 1
        assert found.t_x[i] == (days[-1] - days[0]) / 7
        assert found.T[i] == (as_of - days[0]) / 7
        assert found.spend[i] == sum(minor for _, minor in mine)
        assert found.m[i] == pytest.approx(repeat / 100 / max(len(days) - 1, 1), rel=1e-15)


def test_cdnow_has_the_published_counts() -> None:
    """946 of the 2,357 sampled customers bought again in 39 weeks; 11,516 of 23,570 did in 78."""
    calibration = sample(cdnow.CALIBRATION_DAY)
    everyone = master(cdnow.LAST_DAY)

    assert (len(calibration), int((calibration.x > 0).sum())) == (2_357, 946)
    assert (len(everyone), int((everyone.x > 0).sum())) == (23_570, 23_570 - 12_054)
    assert int(everyone.spend.sum()) == 250_031_563


def test_distinct_histories_are_counted() -> None:
    """Grouping keeps every customer: equal histories once, each with its count."""
    groups, counts = history((1, 2, 3), (0, 0, 3), (1, 2, 3), (0, 0, 4), (1, 2, 3)).distinct()

    rows = zip(groups.x.tolist(), groups.t_x.tolist(), groups.T.tolist(), counts, strict=True)
    assert list(rows) == [(0, 0, 3, 1), (0, 0, 4, 1), (1, 2, 3, 3)]


def test_select_keeps_rows_together() -> None:
    """Selecting by a mask takes whole customers."""
    found = summarise([(1, 1, 10), (2, 1, 20), (2, 8, 30), (3, 1, 40)], as_of=8)

    assert_same(found.select(found.spend == 50), summarise([(2, 1, 20), (2, 8, 30)], as_of=8))


@pytest.mark.parametrize("row", [(1, 5, 4), (-1, 0, 4), (0, 1, 4), (1, -1, 4), (1, 2, np.inf)])
def test_an_impossible_history_is_refused(row: tuple[float, float, float]) -> None:
    """t_x beyond T, negative counts, or recency without repeats name the offending row."""
    with pytest.raises(ValueError, match=r"row 1: .* is no buying history"):
        history((1, 2, 3), row)


def test_ragged_columns_are_refused() -> None:
    """Columns of one table have one length."""
    with pytest.raises(ValueError, match="equally long"):
        BuyingHistory(floats(1), floats(1, 2), floats(3, 4))
    with pytest.raises(ValueError, match="ascend"):
        summarise([(1, 1, 10), (2, 1, 20)], as_of=1).select(np.array([1, 0]))
