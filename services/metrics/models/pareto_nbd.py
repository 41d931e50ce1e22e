"""Pareto/NBD: when customers buy, and whether they still do, if leaving is never announced.

While alive a customer buys at a Poisson rate lambda ~ Gamma(r, alpha) and dies at an exponential
rate mu ~ Gamma(s, beta); time in weeks. Schmittlein, Morrison & Colombo, "Counting Your
Customers", Management Science 33(1), 1987; DERT: Fader, Hardie & Lee, "RFM and CLV", JMR 42(4),
2005.

The likelihood of a history (x, t_x, T) is a sum of two stories. Alive at T, or dead at some time
in between t_x and T:

    L = Gamma(r+x) alpha^r beta^s / Gamma(r) * [ (alpha+T)^-(r+x) (beta+T)^-s
        + s * integral over t_x..T of (alpha+t)^-(r+x) (beta+t)^-(s+1) dt ]

and P(alive) is the first story's share.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, exprel, gammaln

from services.metrics.models.arrays import FloatArray, in_blocks
from services.metrics.models.churn import fit_churn
from services.metrics.models.fitting import Fit, require_positive
from services.metrics.models.integrals import FallingPowers, discounted_lifetime
from services.metrics.models.statistics import BuyingHistory

MODEL = "Pareto/NBD"


@dataclass(frozen=True, slots=True)
class ParetoNbd:
    """Shapes r and s (no unit), and scales alpha and beta (weeks); all positive."""

    r: float
    alpha: float
    s: float
    beta: float

    def __post_init__(self) -> None:
        require_positive(r=self.r, alpha=self.alpha, s=self.s, beta=self.beta)


def log_likelihood(parameters: ParetoNbd, history: BuyingHistory) -> FloatArray:
    """Log-likelihood of each customer's history, shape (n,)."""
    return _log_likelihood_and_gradient(parameters, history)[0]


def fit(history: BuyingHistory) -> Fit[ParetoNbd]:
    """Fit by maximum likelihood.

    Raises:
        FitFailed: too few customers, no repeat purchase, or a likelihood without a maximum.
    """
    return fit_churn(
        MODEL,
        history,
        names=("r", "alpha", "s", "beta"),
        dropout_start=lambda mean_age: (1.0, mean_age),
        parameters_of=lambda values: ParetoNbd(*values.tolist()),
        log_likelihood_and_gradient=_log_likelihood_and_gradient,
    )


def p_alive(parameters: ParetoNbd, history: BuyingHistory) -> FloatArray:
    """Probability that each customer is still alive at T, shape (n,)."""
    r, alpha, s, beta = parameters.r, parameters.alpha, parameters.s, parameters.beta

    def share(x: FloatArray, t_x: FloatArray, age: FloatArray) -> FloatArray:
        death = _deaths(parameters, x, t_x, age).value() / (beta + t_x)
        shrink = (r + x) * np.log((alpha + age) / (alpha + t_x))
        shrink += s * np.log((beta + age) / (beta + t_x))
        with np.errstate(over="ignore"):  # surely dead: the odds are infinite, the share is 0
            return 1.0 / (1.0 + s * death * np.exp(shrink))

    return in_blocks(share, history.x, history.t_x, history.T)


def expected_purchases(parameters: ParetoNbd, weeks: FloatArray) -> FloatArray:
    """Expected purchases E[X(t)] of a customer in the first ``weeks`` after the first purchase."""
    r, alpha, s, beta = parameters.r, parameters.alpha, parameters.s, parameters.beta
    return r / alpha * _expected_lifetime(s, np.full_like(weeks, beta), weeks)


def conditional_expectation(
    parameters: ParetoNbd, history: BuyingHistory, weeks: float
) -> FloatArray:
    """Expected purchases of each customer in the ``weeks`` (>= 0) after T, given the history."""
    ages = parameters.beta + history.T
    lifetime = _expected_lifetime(parameters.s, ages, np.full_like(ages, weeks))
    return p_alive(parameters, history) * _rate(parameters, history) * lifetime


def dert(parameters: ParetoNbd, history: BuyingHistory, delta: float) -> FloatArray:
    """Discounted expected residual transactions (DERT) of each customer after T, shape (n,).

    Equals the closed form of Fader, Hardie & Lee (2005):
    alpha^r beta^s delta^(s-1) Gamma(r+x+1) U(s, s, delta (beta+T)) over
    Gamma(r) (alpha+T)^(r+x+1) L.

    Args:
        parameters: of the fitted model.
        history: the customers.
        delta: continuous discount rate per week, > 0.

    Raises:
        ValueError: delta is not positive.
    """
    return p_alive(parameters, history) * dert_if_alive(parameters, history, delta)


def dert_if_alive(parameters: ParetoNbd, history: BuyingHistory, delta: float) -> FloatArray:
    """DERT of each customer on the condition of being alive at T, shape (n,)."""
    require_positive(delta=delta)
    ages, customer = np.unique(history.T, return_inverse=True)  # days, so there are few
    lifetime = in_blocks(
        lambda age: discounted_lifetime(parameters.s, delta, age), parameters.beta + ages
    )
    return _rate(parameters, history) * lifetime[customer]


def _rate(parameters: ParetoNbd, history: BuyingHistory) -> FloatArray:
    """Expected purchases per week while alive."""
    return (parameters.r + history.x) / (parameters.alpha + history.T)


def _expected_lifetime(s: float, age: FloatArray, weeks: FloatArray) -> FloatArray:
    """Expected weeks alive out of the next ``weeks``, alive now; ``age`` is beta + T.

    age / (s-1) * [1 - (age / (age+weeks))^(s-1)], written so that s = 1 is no exception.
    """
    growth = np.log1p(weeks / age)
    return age * growth * exprel((1.0 - s) * growth)


def _deaths(
    parameters: ParetoNbd, x: FloatArray, t_x: FloatArray, age: FloatArray
) -> FallingPowers:
    """The integral over possible times of death, as a share of its integrand at t_x."""
    r, alpha, s, beta = parameters.r, parameters.alpha, parameters.s, parameters.beta
    buying, dying = (alpha + t_x, r + x), (beta + t_x, s + 1.0)
    near, far = (buying, dying) if alpha <= beta else (dying, buying)
    return FallingPowers(near[0], near[1], far[0], far[1], age - t_x)


def _log_likelihood_and_gradient(
    parameters: ParetoNbd, history: BuyingHistory
) -> tuple[FloatArray, FloatArray]:
    """Log-likelihoods, shape (n,), and their gradients in (r, alpha, s, beta), shape (4, n)."""
    r, alpha, s, beta = parameters.r, parameters.alpha, parameters.s, parameters.beta
    x, t_x, age = history.x, history.t_x, history.T
    integral, means = _deaths(parameters, x, t_x, age).moments()
    buying, dying = ("near", "far") if alpha <= beta else ("far", "near")

    alive = -(r + x) * np.log(alpha + age) - s * np.log(beta + age)
    with np.errstate(divide="ignore"):  # bought on the as-of day: no time to die in, log 0
        dead = np.log(s * integral)
    dead -= (r + x) * np.log(alpha + t_x) + (s + 1.0) * np.log(beta + t_x)
    both = np.logaddexp(alive, dead)
    likelihood = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta) + both

    lives = np.exp(alive - both)
    dies = 1.0 - lives
    log_buying = np.log(alpha + t_x) + means[f"{buying}_log"]
    log_dying = np.log(beta + t_x) + means[f"{dying}_log"]
    gradient = np.stack(
        [
            digamma(r + x)
            - digamma(r)
            + np.log(alpha)
            - lives * np.log(alpha + age)
            - dies * log_buying,
            r / alpha - (r + x) * (lives / (alpha + age) + dies * means[f"{buying}_inverse"]),
            np.log(beta) - lives * np.log(beta + age) + dies * (1.0 / s - log_dying),
            s / beta - lives * s / (beta + age) - dies * (s + 1.0) * means[f"{dying}_inverse"],
        ]
    )
    return likelihood, gradient
