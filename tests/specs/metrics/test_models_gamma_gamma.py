"""Gamma-Gamma: published numbers, and the conventions they depend on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.stats import gamma as gamma_distribution

from deploy.demo import cdnow
from services.metrics.models import gamma_gamma
from services.metrics.models.fitting import FitFailed
from services.metrics.models.gamma_gamma import GammaGamma
from tests.bench.synthetic import synthetic_statistics
from tests.specs.metrics.cohorts import floats, sample

PUBLISHED = GammaGamma(p=6.25, q=3.74, gamma=15.44)


def assert_published(found: GammaGamma) -> None:
    assert (found.p, found.q, found.gamma) == pytest.approx(
        (PUBLISHED.p, PUBLISHED.q, PUBLISHED.gamma), abs=1e-2
    )


def test_the_published_fit_is_met() -> None:
    """CDNOW sample, 39 weeks, 946 repeat buyers: p, q and gamma of Fader & Hardie's note 25."""
    calibration = sample(cdnow.CALIBRATION_DAY)

    fit = gamma_gamma.fit(calibration.x, calibration.m)

    assert_published(fit.parameters)
    assert fit.n == 946


def test_averaging_over_the_first_day_too_is_noticed() -> None:
    """A usual bug, the first purchase in the mean, misses the published numbers by far."""
    calibration = sample(cdnow.CALIBRATION_DAY)
    all_days = calibration.spend / 100 / (calibration.x + 1)

    for x in (calibration.x, calibration.x + 1):
        with pytest.raises(AssertionError):
            assert_published(gamma_gamma.fit(x, all_days).parameters)


def test_those_who_tell_nothing_are_left_out() -> None:
    """Customers without repeats, and with free ones only, change neither fit nor n."""
    calibration = sample(cdnow.CALIBRATION_DAY)
    paid = calibration.m > 0

    with_free = gamma_gamma.fit(
        np.append(calibration.x, [0.0, 3.0]), np.append(calibration.m, [0.0, 0.0])
    )
    assert with_free == gamma_gamma.fit(calibration.x[paid], calibration.m[paid])


def test_the_likelihood_integrates_the_customers_scale_out() -> None:
    """It is the density of m given the scale, averaged over the gamma-distributed scales."""
    p, q, gamma = 6.25, 3.74, 15.44
    x, m = 3.0, 31.7

    def density(nu: float) -> float:
        given_nu = gamma_distribution.pdf(m, p * x, scale=1 / (nu * x))
        return float(given_nu * gamma_distribution.pdf(nu, q, scale=1 / gamma))

    averaged = quad(density, 0, 5, epsrel=1e-11, points=[0.1, 0.3, 1.0])[0]
    found = gamma_gamma.log_likelihood(PUBLISHED, floats(x), floats(m))
    assert found == pytest.approx(np.log(averaged), rel=1e-9)


def test_the_gradient_is_the_slope_of_the_likelihood() -> None:
    """The analytic gradient agrees with central differences in every parameter."""
    x, m = floats(1, 2, 30), floats(0.01, 25, 400)
    _, gradient = gamma_gamma._log_likelihood_and_gradient(PUBLISHED, x, m)

    values = np.array([PUBLISHED.p, PUBLISHED.q, PUBLISHED.gamma])
    for i, row in enumerate(gradient):
        step = np.eye(3)[i] * 1e-5 * values
        up, down = (
            gamma_gamma.log_likelihood(GammaGamma(*v.tolist()), x, m)
            for v in (values + step, values - step)
        )
        assert_allclose(row, (up - down) / (2 * step[i]), rtol=1e-6)


def test_without_a_repeat_the_population_mean_is_expected() -> None:
    """E(M) is p gamma / (q - 1) where x = 0, and nears the customer's own mean as x grows."""
    found = gamma_gamma.expected_spend(PUBLISHED, floats(0, 1, 10_000), floats(0, 80, 80))

    assert found[0] == pytest.approx(6.25 * 15.44 / 2.74)
    assert found[0] < found[1] < found[2]
    assert found[2] == pytest.approx(80, rel=1e-3)


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.integers(1, 1000))
def test_expected_spend_lies_between_own_and_population_mean(
    own: float, other: float, x: int
) -> None:
    """Shrinkage never overshoots, and who spent more is expected to spend more."""
    low, high = sorted((own, other))
    mean = 6.25 * 15.44 / 2.74

    few, many = gamma_gamma.expected_spend(PUBLISHED, floats(x, x), floats(low, high))

    assert few <= many
    assert min(low, mean) * (1 - 1e-12) <= few <= max(low, mean) * (1 + 1e-12)


def test_the_unit_of_money_does_not_matter() -> None:
    """In yen instead of dollars only gamma changes, by the rate of exchange."""
    drawn = synthetic_statistics(3000, seed=5)

    dollars = gamma_gamma.fit(drawn.x, drawn.m).parameters
    yen = gamma_gamma.fit(drawn.x, drawn.m * 150.0).parameters

    assert (yen.p, yen.q, yen.gamma) == pytest.approx(
        (dollars.p, dollars.q, dollars.gamma * 150.0), rel=1e-5
    )


def test_the_order_of_customers_cannot_be_seen_in_the_fit() -> None:
    """Shuffled customers give the same parameters, bit for bit."""
    drawn = synthetic_statistics(2000, seed=5)
    order = np.random.default_rng(1).permutation(len(drawn))

    assert gamma_gamma.fit(drawn.x[order], drawn.m[order]) == gamma_gamma.fit(drawn.x, drawn.m)


def test_data_that_cannot_tell_are_refused() -> None:
    """Too few payers, or payers all alike, are no basis: FitFailed says so."""
    with pytest.raises(FitFailed, match="on 9 customers: at least 10 with a paid repeat"):
        gamma_gamma.fit(np.ones(12), np.array([0.0] * 3 + [5.0] * 9))
    with pytest.raises(FitFailed, match="all of them spend the same"):
        gamma_gamma.fit(np.ones(20), np.full(20, 5.0))


def test_a_tail_without_a_mean_is_refused() -> None:
    """When spend is so uneven that q <= 1 there is no mean to value a newcomer with."""
    wild = synthetic_statistics(3000, seed=2, spend=GammaGamma(p=5.0, q=0.7, gamma=15.0))

    with pytest.raises(FitFailed, match="no finite mean spend"):
        gamma_gamma.fit(wild.x, wild.m)
    with pytest.raises(ValueError, match="no finite mean spend"):
        gamma_gamma.expected_spend(GammaGamma(2.0, 1.0, 3.0), floats(0), floats(0))


def test_no_customers_have_no_spend() -> None:
    """Empty columns in, empty columns out."""
    assert_array_equal(gamma_gamma.expected_spend(PUBLISHED, floats(), floats()), floats())
