"""Pareto/NBD: published numbers, closed forms, and what must hold for any customer."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.special import gammaln, hyp2f1, hyperu

from deploy.demo import cdnow
from services.metrics.models import pareto_nbd
from services.metrics.models.arrays import FloatArray
from services.metrics.models.fitting import FitFailed
from services.metrics.models.pareto_nbd import ParetoNbd
from services.metrics.models.statistics import BuyingHistory
from tests.bench.synthetic import draw_history
from tests.specs.metrics.cohorts import columns, floats, histories, history, sample

PUBLISHED = ParetoNbd(r=0.553, alpha=10.578, s=0.606, beta=11.669)
DELTA = 0.0027

parameters = st.builds(
    ParetoNbd,
    r=st.floats(0.1, 5),
    alpha=st.floats(0.5, 60),
    s=st.floats(0.1, 5),
    beta=st.floats(0.5, 60),
)


def assert_published(found: ParetoNbd) -> None:
    assert (found.r, found.alpha, found.s, found.beta) == pytest.approx(
        (PUBLISHED.r, PUBLISHED.alpha, PUBLISHED.s, PUBLISHED.beta), abs=1e-2
    )


def test_the_published_fit_is_met() -> None:
    """CDNOW sample, 39 weeks: r, alpha, s, beta and the log-likelihood of the BTYD vignette."""
    fit = pareto_nbd.fit(sample(cdnow.CALIBRATION_DAY).history)

    assert_published(fit.parameters)
    assert fit.log_likelihood == pytest.approx(-9594.976, abs=1e-2)
    assert fit.n == 2357


def test_counting_purchases_instead_of_days_is_noticed() -> None:
    """A usual bug, two baskets of one day counted as two purchases, misses the published fit."""
    right = sample(cdnow.CALIBRATION_DAY)
    customer, day, _ = columns(cdnow.read_sample())
    baskets = np.bincount(customer[day <= cdnow.CALIBRATION_DAY.toordinal()])
    x = np.where(right.x > 0, baskets[right.customer] - 1.0, 0.0)
    wrong = BuyingHistory(x, right.t_x, right.T)

    with pytest.raises(AssertionError):
        assert_published(pareto_nbd.fit(wrong).parameters)


def test_published_expectations_are_met() -> None:
    """On that fit, the BTYD vignette's expectations and its probabilities of being alive."""
    fitted = pareto_nbd.fit(sample(cdnow.CALIBRATION_DAY).history).parameters
    heavy = history((26, 30 + 6 / 7, 31))

    assert pareto_nbd.expected_purchases(fitted, floats(52)) == pytest.approx(1.473434, abs=1e-4)
    assert pareto_nbd.conditional_expectation(fitted, heavy, 52) == pytest.approx(25.456, abs=1e-3)
    assert pareto_nbd.p_alive(fitted, heavy) == pytest.approx(0.9979, abs=1e-4)
    assert pareto_nbd.p_alive(fitted, history((0, 0, 39))) == pytest.approx(0.294, abs=1e-3)


def test_the_second_half_is_forecast_from_the_first() -> None:
    """Fitted on 39 weeks, repeat purchases after 78 weeks are forecast within 2 %, as published."""
    fitted = pareto_nbd.fit(sample(cdnow.CALIBRATION_DAY).history).parameters
    actual = sample(cdnow.LAST_DAY)

    forecast = pareto_nbd.expected_purchases(fitted, actual.T).sum()

    assert forecast == pytest.approx(actual.x.sum(), rel=0.02)


def closed_form(p: ParetoNbd, h: BuyingHistory) -> tuple[FloatArray, FloatArray]:
    """Log-likelihood and P(alive) by the textbook's 2F1, for histories it can bear."""

    def f(t: FloatArray) -> FloatArray:
        k = p.r + p.s + h.x
        if p.alpha >= p.beta:
            z = (p.alpha - p.beta) / (p.alpha + t)
            return np.asarray(hyp2f1(k, p.s + 1, k + 1, z) / (p.alpha + t) ** k)
        z = (p.beta - p.alpha) / (p.beta + t)
        return np.asarray(hyp2f1(k, p.r + h.x, k + 1, z) / (p.beta + t) ** k)

    alive = (p.alpha + h.T) ** -(p.r + h.x) * (p.beta + h.T) ** -p.s
    dead = p.s / (p.r + p.s + h.x) * (f(h.t_x) - f(h.T))
    lead = gammaln(p.r + h.x) - gammaln(p.r) + p.r * np.log(p.alpha) + p.s * np.log(p.beta)
    return lead + np.log(alive + dead), alive / (alive + dead)


TEXTBOOK = [
    PUBLISHED,
    ParetoNbd(r=0.9, alpha=20.0, s=0.4, beta=6.0),
    ParetoNbd(r=1.3, alpha=9.0, s=2.0, beta=9.0),
]
MODERATE = history((0, 0, 39), (0, 0, 0), (1, 10, 30), (2, 30.43, 38.86), (7, 20, 78), (12, 70, 78))


@pytest.mark.parametrize("p", TEXTBOOK)
def test_likelihood_and_p_alive_are_the_textbooks(p: ParetoNbd) -> None:
    """Quadrature agrees with the hypergeometric closed form, alpha above, below, equal to beta."""
    likelihood, alive = closed_form(p, MODERATE)

    assert_allclose(pareto_nbd.log_likelihood(p, MODERATE), likelihood, rtol=1e-9, atol=1e-12)
    assert_allclose(pareto_nbd.p_alive(p, MODERATE), alive, rtol=1e-9)


@pytest.mark.parametrize("p", TEXTBOOK[:2])
def test_dert_is_the_published_closed_form(p: ParetoNbd) -> None:
    """DERT agrees with alpha^r beta^s delta^(s-1) Gamma(r+x+1) U(s,s,.) over its denominator."""
    h = MODERATE
    log_numerator = p.r * np.log(p.alpha) + p.s * np.log(p.beta) + gammaln(p.r + h.x + 1)
    log_denominator = gammaln(p.r) + (p.r + h.x + 1) * np.log(p.alpha + h.T)
    u = DELTA ** (p.s - 1) * hyperu(p.s, p.s, DELTA * (p.beta + h.T))
    published = u * np.exp(log_numerator - log_denominator - closed_form(p, h)[0])

    assert_allclose(pareto_nbd.dert(p, h, DELTA), published, rtol=1e-8)


@pytest.mark.parametrize("s", [0.4, 1.0, 1.7, 2.0])
def test_dert_discounts_the_expected_purchases(s: float) -> None:
    """DERT is delta times the discounted conditional expectation, for any s, integers too."""
    p = ParetoNbd(0.6, 13.0, s, 9.0)
    customer = history((3, 40, 60))

    def discounted(weeks: float) -> float:
        expected = pareto_nbd.conditional_expectation(p, customer, weeks)[0]
        return float(DELTA * np.exp(-DELTA * weeks) * expected)

    by_parts = quad(discounted, 0, 15_000, epsrel=1e-9, limit=500, points=[10, 100, 1000])[0]
    assert pareto_nbd.dert(p, customer, DELTA) == pytest.approx(by_parts, rel=1e-7)


@pytest.mark.parametrize("p", TEXTBOOK)
def test_the_gradient_is_the_slope_of_the_likelihood(p: ParetoNbd) -> None:
    """The analytic gradient agrees with central differences in every parameter."""
    _, gradient = pareto_nbd._log_likelihood_and_gradient(p, MODERATE)

    values = np.array([p.r, p.alpha, p.s, p.beta])
    for i, row in enumerate(gradient):
        step = np.eye(4)[i] * 1e-5 * values
        up, down = (
            pareto_nbd.log_likelihood(ParetoNbd(*v.tolist()), MODERATE)
            for v in (values + step, values - step)
        )
        assert_allclose(row, (up - down) / (2 * step[i]), rtol=1e-6, atol=1e-8)


@given(parameters, st.lists(histories(), min_size=1, max_size=20))
def test_p_alive_is_a_probability(p: ParetoNbd, rows: list[tuple[float, float, float]]) -> None:
    """However long and busy the history, P(alive) is a number from 0 to 1."""
    alive = pareto_nbd.p_alive(p, history(*rows))

    assert ((alive >= 0) & (alive <= 1)).all()
    assert np.isfinite(pareto_nbd.log_likelihood(p, history(*rows))).all()


@given(parameters, histories(), st.floats(0, 1))
def test_a_later_last_purchase_is_a_better_sign(
    p: ParetoNbd, row: tuple[float, float, float], share: float
) -> None:
    """Of two customers with the same x and T, the more recent one is more surely alive."""
    x, t_x, age = row
    earlier, later = pareto_nbd.p_alive(p, history((x, share * t_x, age), row))

    assert earlier <= later * (1 + 1e-12)


@given(parameters, histories(), st.floats(1e-5, 0.05), st.floats(1.01, 50))
def test_dert_falls_as_the_discount_rises(
    p: ParetoNbd, row: tuple[float, float, float], delta: float, factor: float
) -> None:
    """Impatience makes every customer worth less, and nobody worth less than nothing."""
    low, high = (pareto_nbd.dert(p, history(row), d)[0] for d in (delta, delta * factor))

    assert 0 <= high <= low


def test_buying_more_long_ago_can_be_worth_less() -> None:
    """Silent for 58 weeks, a buyer of 20 times is worth less than one of 2: he is surely gone."""
    silent = history((2, 20, 78), (20, 20, 78))
    recent = history((2, 76, 78), (20, 76, 78))

    few, many = pareto_nbd.dert(PUBLISHED, silent, DELTA)
    assert many < few / 100
    few, many = pareto_nbd.dert(PUBLISHED, recent, DELTA)
    assert many > few


def test_the_heaviest_buyers_are_no_exception() -> None:
    """Thousands of purchases neither overflow nor leave the range of a probability."""
    heavy = history((5000, 999, 1000), (5000, 500, 1000), (5000, 1000, 1000))

    assert_allclose(pareto_nbd.p_alive(PUBLISHED, heavy), [0.9833, 0, 1], atol=1e-4)
    assert np.isfinite(pareto_nbd.log_likelihood(PUBLISHED, heavy)).all()


def test_the_order_of_customers_cannot_be_seen_in_the_fit() -> None:
    """Shuffled customers give the same parameters, bit for bit."""
    h = sample(cdnow.CALIBRATION_DAY).history
    order = np.random.default_rng(1).permutation(len(h))

    assert pareto_nbd.fit(BuyingHistory(h.x[order], h.t_x[order], h.T[order])) == pareto_nbd.fit(h)


def test_known_parameters_are_found_again() -> None:
    """Fitted on 20,000 customers drawn from a model, the parameters come back within 5 %."""
    truth = ParetoNbd(r=0.8, alpha=6.0, s=0.9, beta=15.0)
    rng = np.random.default_rng(7)

    found = pareto_nbd.fit(draw_history(rng, rng.uniform(30, 110, 20_000), truth)).parameters

    assert (found.r, found.alpha, found.s, found.beta) == pytest.approx(
        (truth.r, truth.alpha, truth.s, truth.beta), rel=0.05
    )


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([(1.0, 2.0, 3.0)] * 9, "at least 10 are needed"),
        ([(0.0, 0.0, float(t)) for t in range(30)], "none of them bought on a second day"),
        ([(10.0, 50.0, 51.0)] * 30, "runs away"),
    ],
)
def test_data_that_cannot_tell_are_refused(
    rows: list[tuple[float, float, float]], why: str
) -> None:
    """Too few customers, no repeat purchase, or customers all alike: FitFailed says n and why."""
    with pytest.raises(FitFailed, match=why) as failed:
        pareto_nbd.fit(history(*rows))

    assert (failed.value.model, failed.value.n) == ("Pareto/NBD", len(rows))


@pytest.mark.parametrize(
    "build",
    [
        lambda: ParetoNbd(0.0, 1, 1, 1),
        lambda: ParetoNbd(1, float("nan"), 1, 1),
        lambda: pareto_nbd.dert(PUBLISHED, MODERATE, 0.0),
    ],
)
def test_parameters_out_of_range_are_refused(build: Callable[[], object]) -> None:
    """Parameters and the discount rate are positive finite numbers."""
    with pytest.raises(ValueError, match="must be a positive finite number"):
        build()


def test_no_customers_have_no_values() -> None:
    """Empty columns in, empty columns out."""
    nobody = history()

    assert_array_equal(pareto_nbd.dert(PUBLISHED, nobody, DELTA), floats())
    assert_array_equal(pareto_nbd.conditional_expectation(PUBLISHED, nobody, 10.0), floats())
