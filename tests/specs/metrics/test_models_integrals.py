"""The integrals of the models: against closed forms where there are any, else quadrature."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.special import expn, exprel, gamma, gammaincc, hyperu

from services.metrics.models.integrals import FallingPowers, beta_mean, discounted_lifetime
from tests.specs.metrics.cohorts import floats

offsets = st.floats(0.01, 1000)
powers = st.floats(0.01, 300)
spans = st.floats(1e-6, 5000)


def falling(near: float, k: float, far: float, j: float, span: float) -> FallingPowers:
    return FallingPowers(floats(near), floats(k), floats(far), floats(j), floats(span))


def by_quadrature(case: tuple[float, float, float, float, float], factor: str) -> float:
    """Integrate factor * (1 + u/near)^-k (1 + u/far)^-j with an adaptive rule."""
    near, k, far, j, span = case

    def integrand(v: float) -> float:
        u = near * np.expm1(v)
        log_far = np.log1p(u / far)
        factors = {
            "one": 1.0,
            "near_log": v,
            "far_log": log_far,
            "near_inverse": 1 / (near + u),
            "far_inverse": 1 / (far + u),
        }
        return float(near * np.exp(v - k * v - j * log_far) * factors[factor])

    end = np.log1p(span / near)
    landmarks = [end * share for share in (1e-3, 1e-2, 0.1, 0.5)]
    return float(quad(integrand, 0, end, epsabs=0, epsrel=1e-12, limit=500, points=landmarks)[0])


CASES = [
    (10.6, 0.55, 11.7, 1.6, 38.9),  # CDNOW, nobody came back
    (20.0, 26.6, 21.1, 1.6, 0.14),  # bought every week, last week too
    (1.3, 200.0, 40.0, 5.9, 211.0),  # hundreds of purchases, then years of silence
    (0.05, 1.05, 300.0, 30.0, 5000.0),  # offsets and exponents worlds apart
    (0.2, 23.0, 0.2, 0.03, 900.0),
]


@pytest.mark.parametrize("case", CASES)
def test_the_integral_agrees_with_adaptive_quadrature(
    case: tuple[float, float, float, float, float],
) -> None:
    """A fixed rule of 32 nodes gives what an adaptive one works out, and so do its moments."""
    expected = by_quadrature(case, "one")

    assert_allclose(falling(*case).value(), expected, rtol=1e-11)
    integral, means = falling(*case).moments()
    assert_allclose(integral, expected, rtol=1e-11)
    for name, mean in means.items():
        assert_allclose(mean, by_quadrature(case, name) / expected, rtol=1e-10, err_msg=name)


@given(offsets, powers, powers, spans)
def test_equal_offsets_have_a_closed_form(
    offset: float, near_power: float, far_power: float, span: float
) -> None:
    """With one offset the integral is c/(k-1) (1 - (1 + span/c)^(1-k)), which is met to 1e-10."""
    end = np.log1p(span / offset)
    exact = offset * end * exprel((1 - near_power - far_power) * end)

    found = falling(offset, near_power, offset, far_power, span).value()

    assert_allclose(found, exact, rtol=1e-10)


def test_an_empty_interval_is_nothing() -> None:
    """A span of 0 gives 0, and means that are numbers."""
    integral, means = falling(10, 1, 12, 2, 0).moments()

    assert integral.tolist() == [0.0]
    assert all(np.isfinite(mean).all() for mean in means.values())


@pytest.mark.parametrize("z", [1e-8, 1e-4, 0.03, 0.5, 1.0, 4.0, 60.0, 700.0])
@pytest.mark.parametrize("s", [1, 2, 3, 7])
def test_lifetime_for_integer_s_is_the_exponential_integral(s: int, z: float) -> None:
    """Where U(s, s, z) has its poles the integral has none: it is e^z E_s(z)."""
    assert_allclose(discounted_lifetime(s, z, floats(1.0)), np.exp(z) * expn(s, z), rtol=1e-11)


@pytest.mark.parametrize("z", [1e-8, 1e-4, 0.03, 0.5, 1.0, 4.0, 60.0])
@pytest.mark.parametrize("s", [0.05, 0.408, 0.606, 0.95])
def test_lifetime_for_s_below_one_is_the_incomplete_gamma_function(s: float, z: float) -> None:
    """For s < 1 it is e^z z^(s-1) Gamma(1-s, z)."""
    closed = np.exp(z) * z ** (s - 1) * gammaincc(1 - s, z) * gamma(1 - s)

    assert_allclose(discounted_lifetime(s, z, floats(1.0)), closed, rtol=1e-12)


@pytest.mark.parametrize("z", [0.01, 0.05, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("s", [0.408, 0.606, 1.3, 2.6])
def test_lifetime_is_the_published_closed_form(s: float, z: float) -> None:
    """The literature's z^(s-1) U(s, s, z) agrees where scipy's U is good."""
    assert_allclose(
        discounted_lifetime(s, z, floats(1.0)), z ** (s - 1) * hyperu(s, s, z), rtol=1e-8
    )


def test_lifetime_is_smooth_across_integer_s() -> None:
    """Next to s = 1 and s = 2 the answer moves by as little as s does."""
    for s in (1.0, 2.0):
        beside = [discounted_lifetime(s + step, 0.03, floats(12.0)) for step in (-1e-9, 0, 1e-9)]
        assert_allclose(beside, [beside[1]] * 3, rtol=1e-8)
        assert beside[0] > beside[1] > beside[2]


def test_a_lifetime_depends_on_its_own_row_alone() -> None:
    """A row gives the same bits alone, and beside rows that need many more nodes."""
    ages = np.geomspace(1e-6, 1e6, 1001)

    together = discounted_lifetime(0.6, 0.0027, ages)

    alone = np.concatenate([discounted_lifetime(0.6, 0.0027, ages[i : i + 1]) for i in range(1001)])
    assert_array_equal(together, alone)


@given(st.floats(0.05, 20), st.floats(1e-5, 0.1), st.floats(1.01, 100), st.floats(0.1, 2000))
def test_a_higher_discount_shortens_the_lifetime(
    s: float, delta: float, factor: float, age: float
) -> None:
    """Discounted lifetime falls as the rate rises, and never exceeds 1/delta."""
    low, high = (discounted_lifetime(s, d, floats(age))[0] for d in (delta, delta * factor))

    assert 0 < high < low <= (1 + 1e-12) / delta


@given(st.floats(0.1, 50), st.floats(0.1, 50), st.integers(0, 10_000))
def test_beta_means_are_the_moments(a: float, b: float, stayed: int) -> None:
    """The means of p, 1 - p and p squared are those of a Beta(a, b + stayed)."""
    shape, n = b + stayed, floats(stayed)

    p = beta_mean(a, b, n, lambda p, _: p)
    q = beta_mean(a, b, n, lambda _, q: q)
    squared = beta_mean(a, b, n, lambda p, _: p**2)

    assert_allclose(p, a / (a + shape), rtol=1e-11)
    assert_allclose(q, shape / (a + shape), rtol=1e-11)
    assert_allclose(squared, a / (a + shape) * (a + 1) / (a + shape + 1), rtol=1e-11)
