"""BG/NBD: published numbers, closed forms, and the reason why equity does not use it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.integrate import dblquad
from scipy.stats import beta as beta_distribution

from deploy.demo import cdnow
from services.metrics.models import bg_nbd, pareto_nbd
from services.metrics.models.bg_nbd import BgNbd
from services.metrics.models.fitting import FitFailed
from services.metrics.models.pareto_nbd import ParetoNbd
from tests.specs.metrics.cohorts import histories, history, sample

PUBLISHED = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)

parameters = st.builds(
    BgNbd,
    r=st.floats(0.1, 5),
    alpha=st.floats(0.5, 60),
    a=st.floats(0.1, 5),
    b=st.floats(0.1, 5),
)


def test_the_published_fit_is_met() -> None:
    """CDNOW sample, 39 weeks: r, alpha, a, b and the log-likelihood of the paper."""
    fit = bg_nbd.fit(sample(cdnow.CALIBRATION_DAY).history)

    found = fit.parameters
    assert (found.r, found.alpha, found.a, found.b) == pytest.approx(
        (0.2426, 4.4137, 0.7930, 2.4262), abs=1e-2
    )
    assert fit.log_likelihood == pytest.approx(-9582.429, abs=1e-2)
    assert fit.n == 2357


def test_the_published_expectation_is_met() -> None:
    """Two repeats, the last in week 30.43 of 38.86: 1.226 purchases in the next 39 weeks."""
    customer = history((2, 30.43, 38.86))

    assert bg_nbd.conditional_expectation(PUBLISHED, customer, 39) == pytest.approx(1.226, abs=1e-3)


def test_whoever_never_came_back_counts_as_alive_for_ever() -> None:
    """P(alive) is 1 without repeats, after twenty years too; Pareto/NBD knows better."""
    silent = history((0, 0, 10), (0, 0, 1040))

    assert bg_nbd.p_alive(PUBLISHED, silent).tolist() == [1.0, 1.0]
    doubted = pareto_nbd.p_alive(ParetoNbd(0.553, 10.578, 0.606, 11.669), silent)
    assert doubted == pytest.approx([0.643, 0.010], abs=1e-3)


@pytest.mark.parametrize("p", [PUBLISHED, BgNbd(1.0, 6.0, 1.0, 3.0), BgNbd(0.8, 9.0, 2.5, 1.4)])
def test_the_expectation_averages_over_rates_and_dropout(p: BgNbd) -> None:
    """The closed form agrees with integrating over time and the dropout probability, a = 1 too."""
    x, t_x, age, weeks = 4.0, 20.0, 30.0, 52.0
    posterior = beta_distribution(p.a, p.b + x)

    def rate(q: float, t: float) -> float:
        since = (p.alpha + age) / (p.alpha + age + q * t)
        return float((p.r + x) / (p.alpha + age) * since ** (p.r + x + 1) * posterior.pdf(q))

    if_alive = dblquad(rate, 0, weeks, 0, 1, epsabs=1e-9, epsrel=1e-8)[0]

    customer = history((x, t_x, age))
    expected = bg_nbd.p_alive(p, customer) * if_alive
    assert_allclose(bg_nbd.conditional_expectation(p, customer, weeks), expected, rtol=1e-5)


@pytest.mark.parametrize("p", [PUBLISHED, BgNbd(1.3, 9.0, 2.0, 0.4)])
def test_the_gradient_is_the_slope_of_the_likelihood(p: BgNbd) -> None:
    """The analytic gradient agrees with central differences in every parameter."""
    customers = history((0, 0, 39), (0, 0, 0), (1, 10, 30), (2, 30.43, 38.86), (300, 70, 78))
    _, gradient = bg_nbd._log_likelihood_and_gradient(p, customers)

    values = np.array([p.r, p.alpha, p.a, p.b])
    for i, row in enumerate(gradient):
        step = np.eye(4)[i] * 1e-5 * values
        up, down = (
            bg_nbd.log_likelihood(BgNbd(*v.tolist()), customers)
            for v in (values + step, values - step)
        )
        assert_allclose(row, (up - down) / (2 * step[i]), rtol=1e-6, atol=1e-7)


@given(parameters, st.lists(histories(), min_size=1, max_size=20))
def test_p_alive_is_a_probability(p: BgNbd, rows: list[tuple[float, float, float]]) -> None:
    """However long and busy the history, P(alive) is a number from 0 to 1."""
    alive = bg_nbd.p_alive(p, history(*rows))

    assert ((alive >= 0) & (alive <= 1)).all()
    assert np.isfinite(bg_nbd.log_likelihood(p, history(*rows))).all()


@given(parameters, histories(), st.floats(0, 1))
def test_a_later_last_purchase_is_a_better_sign(
    p: BgNbd, row: tuple[float, float, float], share: float
) -> None:
    """Of two customers with the same x and T, the more recent one is more surely alive."""
    x, t_x, age = row
    earlier, later = bg_nbd.p_alive(p, history((x, share * t_x, age), row))

    assert earlier <= later * (1 + 1e-12)


@settings(max_examples=40)
@given(parameters, histories(), st.floats(0.1, 200))
def test_more_time_brings_more_purchases(
    p: BgNbd, row: tuple[float, float, float], weeks: float
) -> None:
    """Expected purchases start at 0 and grow with the horizon."""
    none, some, more = (
        bg_nbd.conditional_expectation(p, history(row), w)[0] for w in (0, weeks, 2 * weeks)
    )

    assert none == pytest.approx(0, abs=1e-8)
    assert -1e-8 <= some <= more + 1e-8


def test_the_heaviest_buyers_are_no_exception() -> None:
    """Where libraries' 2F1 overflows (97 repeats, whole numbers, long horizon), ours does not."""
    weekly = history((97, 13 + 6 / 7, 13 + 6 / 7))

    found = bg_nbd.conditional_expectation(BgNbd(1.0, 1.0, 2.0, 4.0), weekly, 134.0)

    assert found == pytest.approx(89.6506071, rel=1e-8)


def test_data_that_cannot_tell_are_refused() -> None:
    """Without repeat purchases there is nothing to fit, and the error says so."""
    with pytest.raises(FitFailed, match="BG/NBD could not be fitted on 12 customers: none of them"):
        bg_nbd.fit(history(*[(0, 0, t) for t in range(12)]))
