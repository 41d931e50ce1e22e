"""Gamma-Gamma: what a customer spends on a purchase day, given the few we have seen.

Spend per purchase varies as Gamma(p, nu) within a customer and nu ~ Gamma(q, gamma) between
customers, independent of how often they buy. Fader & Hardie, "The Gamma-Gamma Model of Monetary
Value", note 25, 2013. Amounts are in major units of one currency.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gammaln

from services.metrics.models.arrays import FloatArray
from services.metrics.models.fitting import (
    MINIMUM_CUSTOMERS,
    Fit,
    FitFailed,
    maximise,
    require,
    require_positive,
)

MODEL = "Gamma-Gamma"


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """Shapes p and q (no unit), and the scale gamma (currency); all positive."""

    p: float
    q: float
    gamma: float

    def __post_init__(self) -> None:
        require_positive(p=self.p, q=self.q, gamma=self.gamma)


def log_likelihood(parameters: GammaGamma, x: FloatArray, m: FloatArray) -> FloatArray:
    """Log-likelihood of each customer's mean repeat spend m > 0 over x >= 1 days, shape (n,)."""
    return _log_likelihood_and_gradient(parameters, x, m)[0]


def fit(x: FloatArray, m: FloatArray) -> Fit[GammaGamma]:
    """Fit by maximum likelihood on the customers with x >= 1 and m > 0; the others say nothing.

    ``n`` of the fit counts the customers that were used.

    Raises:
        FitFailed: too few such customers, a likelihood without a maximum, or one whose maximum
            gives the population no finite mean spend (q <= 1).
    """
    used = (x >= 1) & (m > 0)
    n = int(used.sum())
    why = f"at least {MINIMUM_CUSTOMERS} with a paid repeat purchase are needed"
    require(n >= MINIMUM_CUSTOMERS, MODEL, n, why)
    order = np.lexsort((m[used], x[used]))
    days, spend = x[used][order], m[used][order]
    require(bool((spend != spend[0]).any()), MODEL, n, "all of them spend the same")

    def total(values: FloatArray) -> tuple[float, FloatArray]:
        likelihood, gradient = _log_likelihood_and_gradient(
            GammaGamma(*values.tolist()), days, spend
        )
        return float(likelihood.sum()), gradient.sum(axis=1)

    start = (2.0, 2.0, float(spend.mean()) / 2.0)
    best, reached = maximise(MODEL, n, ("p", "q", "gamma"), start, total)
    parameters = GammaGamma(*best.tolist())
    if parameters.q <= 1.0:
        raise FitFailed(MODEL, n, f"q = {parameters.q:.3f} <= 1: no finite mean spend")
    return Fit(parameters, reached, n)


def expected_spend(parameters: GammaGamma, x: FloatArray, m: FloatArray) -> FloatArray:
    """Expected spend E(M | m, x) per future purchase day, in major units, shape (n,).

    p (gamma + m x) / (p x + q - 1): the population mean where x = 0, drawn towards the customer's
    own mean as x grows.

    Raises:
        ValueError: q <= 1, for which the population mean is infinite.
    """
    p, q, gamma = parameters.p, parameters.q, parameters.gamma
    if q <= 1.0:
        raise ValueError(f"q = {q} <= 1: the population has no finite mean spend")
    return p * (gamma + m * x) / (p * x + q - 1.0)


def _log_likelihood_and_gradient(
    parameters: GammaGamma, x: FloatArray, m: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Log-likelihoods, shape (n,), and their gradients in (p, q, gamma), shape (3, n)."""
    p, q, gamma = parameters.p, parameters.q, parameters.gamma
    shape, rate = p * x + q, gamma + m * x
    likelihood = (
        gammaln(shape)
        - gammaln(p * x)
        - gammaln(q)
        + q * np.log(gamma)
        + p * x * np.log(m * x)
        - np.log(m)
        - shape * np.log(rate)
    )
    gradient = np.stack(
        [
            x * (digamma(shape) - digamma(p * x) + np.log(m * x / rate)),
            digamma(shape) - digamma(q) + np.log(gamma / rate),
            q / gamma - shape / rate,
        ]
    )
    return likelihood, gradient
