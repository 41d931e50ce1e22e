"""Shifted-beta-geometric: published numbers, and the censoring term they depend on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import betaln

from services.metrics.models import sbg
from services.metrics.models.arrays import FloatArray, IntArray
from services.metrics.models.fitting import FitFailed, maximise
from services.metrics.models.retention import RetentionCase, lifetime_value
from services.metrics.models.sbg import Sbg
from tests.specs.metrics.cohorts import floats

REGULAR = np.array([1000, 631, 468, 382, 326, 289, 262, 241])
HIGH_END = np.array([1000, 869, 743, 653, 593, 551, 517, 491])
"""Survivors of the two segments of Fader & Hardie (2007): seven years, 1,000 customers each."""

REGULAR_LATER = floats(0.223, 0.207, 0.194, 0.183, 0.173)
HIGH_END_LATER = floats(0.468, 0.445, 0.427, 0.409, 0.394)
"""What years 8 to 12 turned out to be."""

RESIDUAL = Sbg(a=0.764, b=1.296)


@pytest.mark.parametrize(
    ("survivors", "published"), [(REGULAR, (0.704, 1.182)), (HIGH_END, (0.668, 3.806))]
)
def test_the_published_fits_are_met(survivors: IntArray, published: tuple[float, float]) -> None:
    """Seven years of survival give a and b of the paper, for both segments."""
    fit = sbg.fit(survivors)

    assert (fit.parameters.a, fit.parameters.b) == pytest.approx(published, abs=1e-2)
    assert fit.n == 1000


def test_forgetting_those_who_stayed_is_noticed() -> None:
    """The usual bug, no censoring term in the likelihood, leaves it without any maximum."""

    def uncensored(values: FloatArray, survivors: IntArray = REGULAR) -> tuple[float, FloatArray]:
        def value(a: float, b: float) -> float:
            t = np.arange(1.0, len(survivors))
            return float((-np.diff(survivors) * (betaln(a + 1, b + t - 1) - betaln(a, b))).sum())

        a, b = values.tolist()
        step = 1e-6
        slope_a = (value(a + step * a, b) - value(a - step * a, b)) / (2 * step * a)
        slope_b = (value(a, b + step * b) - value(a, b - step * b)) / (2 * step * b)
        return value(a, b), np.array([slope_a, slope_b])

    with pytest.raises(FitFailed, match="runs away"):
        maximise("sBG, uncensored", 1000, ("a", "b"), (1.0, 1.0), uncensored)


def test_published_residual_values_are_met() -> None:
    """With d = .10 and m = 100: 288, 394 and 568 at the end of periods 1, 2 and 5."""
    found = sbg.residual_value(RESIDUAL, floats(1, 2, 5), discount=0.10, margin=100.0)

    assert_allclose(found, [288, 394, 568], atol=0.5)


@pytest.mark.parametrize(
    ("survivors", "later"), [(REGULAR, REGULAR_LATER), (HIGH_END, HIGH_END_LATER)]
)
def test_the_fit_projects_years_it_has_not_seen(survivors: IntArray, later: FloatArray) -> None:
    """Fitted on seven years, the curve meets survival in years 8 to 12 within 2 points."""
    projected = sbg.survival(sbg.fit(survivors).parameters, np.arange(8.0, 13.0))

    assert_allclose(projected, later, atol=0.02)


def test_retention_rises_with_tenure() -> None:
    """S(t) / S(t-1) equals (b+t-1)/(a+b+t-1), and rises: who leaves easily leaves first."""
    t = np.arange(1.0, 30.0)

    found = sbg.retention(RESIDUAL, t)

    assert_allclose(found, sbg.survival(RESIDUAL, t) / sbg.survival(RESIDUAL, t - 1), rtol=1e-12)
    assert (np.diff(found) > 0).all()


@given(st.floats(0.1, 20), st.floats(0.1, 20), st.integers(1, 40), st.floats(0.02, 1))
def test_residual_lifetime_sums_the_renewals(a: float, b: float, n: int, d: float) -> None:
    """The closed form agrees with adding up survival, renewal by renewal."""
    t = np.arange(float(n), n + 3000.0)
    survivors = sbg.survival(Sbg(a, b), t) / sbg.survival(Sbg(a, b), floats(n - 1))
    summed = (survivors * (1 + d) ** (n - t)).sum()

    found = sbg.expected_residual_lifetime(Sbg(a, b), floats(n), d)

    assert found == pytest.approx(summed, rel=1e-9)


def test_one_average_retention_rate_undervalues_those_who_stayed() -> None:
    """A constant rate, the cohort's first, values a five-year customer at less than half."""
    first = float(sbg.retention(RESIDUAL, floats(1))[0])
    constant = lifetime_value(
        RetentionCase.NEW_CUSTOMER_PAID_AT_START, margin=100.0, retention=first, discount=0.1
    )

    assert first * constant < sbg.residual_value(RESIDUAL, floats(5), 0.1, 100.0)[0] / 2


def test_the_gradient_is_the_slope_of_the_likelihood() -> None:
    """The analytic gradient agrees with central differences."""
    _, gradient = sbg._log_likelihood_and_gradient(0.7, 1.2, REGULAR)

    step = 1e-5
    slopes = [
        sbg.log_likelihood(Sbg(0.7 + step, 1.2), REGULAR)
        - sbg.log_likelihood(Sbg(0.7 - step, 1.2), REGULAR),
        sbg.log_likelihood(Sbg(0.7, 1.2 + step), REGULAR)
        - sbg.log_likelihood(Sbg(0.7, 1.2 - step), REGULAR),
    ]
    assert_allclose(gradient, np.array(slopes) / (2 * step), rtol=1e-7)


@pytest.mark.parametrize(
    ("survivors", "why"),
    [
        ([9, 5, 3], "at least 10 are needed"),
        ([100, 100, 100], "none of them left"),
        ([1000, 500, 250, 125], "runs away"),
    ],
)
def test_cohorts_that_cannot_tell_are_refused(survivors: list[int], why: str) -> None:
    """Too few, nobody gone, or customers all alike (a constant rate): FitFailed says why."""
    with pytest.raises(FitFailed, match=why):
        sbg.fit(np.array(survivors))


@pytest.mark.parametrize("survivors", [[100], [100, 90, 95], [100, -1]])
def test_impossible_cohorts_are_refused(survivors: list[int]) -> None:
    """Survivors of one cohort never rise nor fall below zero, and one renewal must be seen."""
    with pytest.raises(ValueError, match="survivors"):
        sbg.fit(np.array(survivors))
