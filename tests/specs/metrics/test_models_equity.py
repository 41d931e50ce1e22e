"""Customer equity end to end, from every CDNOW purchase to the published dollars."""

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from deploy.demo import cdnow
from services.metrics.models import gamma_gamma, pareto_nbd
from services.metrics.models.equity import CustomerValues, EquityPolicy, total, value_customers
from services.metrics.models.statistics import CustomerStatistics
from tests.bench.synthetic import CHURN, SPEND, synthetic_statistics
from tests.specs.metrics.cohorts import floats, master, sample

POLICY = EquityPolicy(margin=0.30, annual_discount=0.15)
COLUMNS = ("customer", "p_alive", "expected_spend", "dert", "clv")


@cache
def cohort_without_the_biggest() -> CustomerStatistics:
    """All customers as of the last day but the ten biggest spenders, as the paper has it."""
    everyone = master(cdnow.LAST_DAY)
    biggest = np.argsort(-everyone.spend, kind="stable")[:10]
    kept = np.ones(len(everyone), dtype=np.bool_)
    kept[biggest] = False
    return everyone.select(kept)


def value_cohort(policy: EquityPolicy) -> CustomerValues:
    """Value them by the models fitted on the sample over all 78 weeks."""
    fitted_on = sample(cdnow.LAST_DAY)
    churn = pareto_nbd.fit(fitted_on.history).parameters
    spend = gamma_gamma.fit(fitted_on.x, fitted_on.m).parameters
    return value_customers(cohort_without_the_biggest(), churn, spend, policy)


def test_the_published_equity_is_met() -> None:
    """23,560 customers are worth $1.1 million together and about $47 each."""
    values = value_cohort(POLICY)

    equity = total(values.clv)
    assert len(values) == 23_560
    assert equity == pytest.approx(1_100_623, rel=0.005)
    assert equity == pytest.approx(1_100_623, abs=1)  # what we compute, whatever is published
    assert equity / len(values) == pytest.approx(46.72, abs=0.01)


def test_the_published_equity_of_the_zero_class_is_met() -> None:
    """The 12,054 without a repeat purchase are worth $4.40 each, and $53,000 together."""
    without = cohort_without_the_biggest().x == 0
    worth = total(value_cohort(POLICY).clv[without])

    assert int(without.sum()) == 12_054
    assert worth / 12_054 == pytest.approx(4.40, abs=0.01)
    assert worth == pytest.approx(53_000, rel=0.005)


def test_discounting_by_the_nominal_rate_is_noticed() -> None:
    """A usual bug, 15 % / 52 for ln(1.15) / 52, misses the published equity."""
    nominal = EquityPolicy(margin=0.30, annual_discount=math.expm1(0.15))

    assert total(value_cohort(nominal).clv) != pytest.approx(1_100_623, rel=0.005)


def test_a_clv_is_margin_times_spend_times_purchases() -> None:
    """Each customer's value is the product that the words say, margin first."""
    values = value_customers(synthetic_statistics(100, seed=1), CHURN, SPEND, POLICY)

    assert_array_equal(values.clv, 0.30 * values.expected_spend * values.dert)
    assert POLICY.delta == pytest.approx(math.log(1.15) / 52, rel=1e-15)


def test_a_value_depends_on_its_customer_alone() -> None:
    """Alone, in any part of the crowd, or in another order, a customer has the same bits."""
    crowd = synthetic_statistics(20_011, seed=3)
    values = value_customers(crowd, CHURN, SPEND, POLICY)

    cuts = np.sort(np.random.default_rng(4).integers(0, len(crowd), 60))
    parts = [
        value_customers(crowd.select(rows), CHURN, SPEND, POLICY)
        for rows in np.split(np.arange(len(crowd)), cuts)
    ]
    for name in COLUMNS:
        together = getattr(values, name)
        assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), together)


def test_the_same_statistics_have_the_same_values() -> None:
    """Nothing is drawn: two runs agree bit for bit."""
    crowd = synthetic_statistics(5_000, seed=3)

    one, other = (value_customers(crowd, CHURN, SPEND, POLICY) for _ in range(2))

    for name in COLUMNS:
        assert_array_equal(getattr(one, name), getattr(other, name))


@given(
    st.lists(st.floats(0, 1e12), max_size=60).flatmap(
        lambda amounts: st.tuples(st.just(amounts), st.permutations(amounts))
    )
)
def test_the_order_of_customers_does_not_move_a_total(
    amounts: tuple[list[float], list[float]],
) -> None:
    """A total is exact before it is rounded once, so every order gives the same bits."""
    assert total(np.array(amounts[0])) == total(np.array(amounts[1]))


def test_a_naive_sum_is_noticed() -> None:
    """Small customers are not lost beside a big one, as they are in a running sum."""
    amounts = floats(1e16, *[1.0] * 1000)

    assert total(amounts) == 1e16 + 1000
    assert np.cumsum(amounts)[-1] == 1e16


def test_nobody_is_worth_nothing() -> None:
    """No customers give empty columns and a total of 0."""
    nobody = synthetic_statistics(5, seed=1).select(np.zeros(5, dtype=np.bool_))

    values = value_customers(nobody, CHURN, SPEND, POLICY)

    assert len(values) == 0
    assert total(values.clv) == 0.0


@pytest.mark.parametrize(
    ("margin", "discount"), [(0.0, 0.15), (1.01, 0.15), (0.3, 0.0), (0.3, float("inf"))]
)
def test_policies_out_of_range_are_refused(margin: float, discount: float) -> None:
    """A margin is a share of spend, and a discount rate is positive and finite."""
    with pytest.raises(ValueError, match=r"margin|annual_discount"):
        EquityPolicy(margin, discount)


def test_synthetic_customers_are_repeatable_and_sound() -> None:
    """The same seed draws the same customers; x, t_x, T and m fit together."""
    one, other = synthetic_statistics(5_000, seed=9), synthetic_statistics(5_000, seed=9)

    for name in ("x", "t_x", "T", "m", "spend"):
        assert_array_equal(getattr(one, name), getattr(other, name))
    assert len(one.history) == 5_000  # building a history checks 0 <= t_x <= T
    assert ((one.m > 0) | (one.x == 0)).all()
    assert (one.x <= one.t_x * 7 + 1e-9).all()
