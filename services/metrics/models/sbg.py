"""Shifted-beta-geometric (sBG): how long customers stay who renew or leave at fixed dates.

A customer leaves at each renewal with probability theta ~ Beta(a, b). Retention of a cohort rises
with time because those who leave easily leave first. Fader & Hardie, "How to Project Customer
Retention", Journal of Interactive Marketing 21(1), 2007; residual value: Fader & Hardie,
"Customer-Base Valuation in a Contractual Setting", Marketing Science 29(1), 2010.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, digamma

from services.metrics.models.arrays import FloatArray, IntArray
from services.metrics.models.fitting import (
    MINIMUM_CUSTOMERS,
    Fit,
    maximise,
    require,
    require_positive,
)
from services.metrics.models.integrals import beta_mean

MODEL = "sBG"


@dataclass(frozen=True, slots=True)
class Sbg:
    """Shapes a and b of the distribution of the probability to leave; both positive."""

    a: float
    b: float

    def __post_init__(self) -> None:
        require_positive(a=self.a, b=self.b)


def log_likelihood(parameters: Sbg, survivors: IntArray) -> float:
    """Log-likelihood of a cohort's survivors (see ``fit``), those still there included."""
    return _log_likelihood_and_gradient(parameters.a, parameters.b, survivors)[0]


def fit(survivors: IntArray) -> Fit[Sbg]:
    """Fit by maximum likelihood.

    Args:
        survivors: customers of one cohort at its start and still there after 1..K renewals,
            shape (K+1,), never rising.

    Raises:
        ValueError: the survivors rise, or fewer than one renewal was seen.
        FitFailed: too few customers, nobody left, or a likelihood without a maximum.
    """
    if survivors.ndim != 1 or len(survivors) < 2 or survivors[-1] < 0:
        raise ValueError("survivors at the start and after at least one renewal are needed")
    if (np.diff(survivors) > 0).any():
        raise ValueError("survivors of one cohort never rise")
    n = int(survivors[0])
    require(n >= MINIMUM_CUSTOMERS, MODEL, n, f"at least {MINIMUM_CUSTOMERS} are needed")
    require(bool(survivors[-1] < n), MODEL, n, "none of them left")

    def total(values: FloatArray) -> tuple[float, FloatArray]:
        return _log_likelihood_and_gradient(float(values[0]), float(values[1]), survivors)

    best, reached = maximise(MODEL, n, ("a", "b"), (1.0, 1.0), total)
    return Fit(Sbg(*best.tolist()), reached, n)


def survival(parameters: Sbg, periods: FloatArray) -> FloatArray:
    """Share of a cohort still there after ``periods`` renewals: S(t) = B(a, b+t) / B(a, b)."""
    a, b = parameters.a, parameters.b
    return np.asarray(np.exp(betaln(a, b + periods) - betaln(a, b)), dtype=np.float64)


def retention(parameters: Sbg, period: FloatArray) -> FloatArray:
    """Share that renews at renewal ``period`` >= 1 of those there before it: S(t) / S(t-1)."""
    a, b = parameters.a, parameters.b
    return (b + period - 1.0) / (a + b + period - 1.0)


def expected_residual_lifetime(parameters: Sbg, periods: FloatArray, discount: float) -> FloatArray:
    """Discounted expected renewals still to come (DERL) at the end of ``periods`` >= 1.

    The customer has paid ``periods`` times and is about to renew or to leave; a renewal now counts
    in full, later ones are discounted: sum over t >= n of S(t) / S(n-1) / (1+discount)^(t-n),
    the mean of a geometric series over the probabilities to leave of those who are still there.

    Raises:
        ValueError: the discount per period is not positive.
    """
    require_positive(discount=discount)
    return beta_mean(
        parameters.a,
        parameters.b,
        periods - 1.0,
        lambda leave, stay: stay * (1.0 + discount) / (leave + discount),
    )


def residual_value(
    parameters: Sbg, periods: FloatArray, discount: float, margin: float
) -> FloatArray:
    """Expected residual value at the end of ``periods``; ``margin`` comes with each renewal."""
    return margin * expected_residual_lifetime(parameters, periods, discount)


def _log_likelihood_and_gradient(
    a: float, b: float, survivors: IntArray
) -> tuple[float, FloatArray]:
    """Log-likelihood and gradient in (a, b): those who left at t = 1..K, and those who did not."""
    t = np.arange(1.0, len(survivors))
    left, last = -np.diff(survivors), float(t[-1])
    stayed = float(survivors[-1])
    leaving = betaln(a + 1.0, b + t - 1.0) - betaln(a, b)
    staying = betaln(a, b + last) - betaln(a, b)

    base_a, base_b = digamma(a) - digamma(a + b), digamma(b) - digamma(a + b)
    leaving_a = digamma(a + 1.0) - digamma(a + b + t) - base_a
    leaving_b = digamma(b + t - 1.0) - digamma(a + b + t) - base_b
    staying_a = digamma(a) - digamma(a + b + last) - base_a
    staying_b = digamma(b + last) - digamma(a + b + last) - base_b
    gradient = [
        (left * leaving_a).sum() + stayed * staying_a,
        (left * leaving_b).sum() + stayed * staying_b,
    ]
    return float((left * leaving).sum() + stayed * staying), np.array(gradient)
