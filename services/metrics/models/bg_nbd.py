"""BG/NBD: when customers buy, and whether they still do, if they can only leave after a purchase.

While alive a customer buys at a Poisson rate lambda ~ Gamma(r, alpha) and after each repeat
purchase leaves with probability p ~ Beta(a, b); time in weeks. Fader, Hardie & Lee, "Counting
Your Customers the Easy Way", Marketing Science 24(2), 2005.

Whoever never bought again had no occasion to leave: P(alive) = 1 for x = 0, however long ago. That
is why equity uses Pareto/NBD; BG/NBD is here to be compared with.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, digamma, gammaln

from services.metrics.models.arrays import FloatArray, in_blocks
from services.metrics.models.churn import fit_churn
from services.metrics.models.fitting import Fit, require_positive
from services.metrics.models.integrals import beta_mean
from services.metrics.models.statistics import BuyingHistory

MODEL = "BG/NBD"


@dataclass(frozen=True, slots=True)
class BgNbd:
    """Shapes r, a and b (no unit), and the scale alpha (weeks); all positive."""

    r: float
    alpha: float
    a: float
    b: float

    def __post_init__(self) -> None:
        require_positive(r=self.r, alpha=self.alpha, a=self.a, b=self.b)


def log_likelihood(parameters: BgNbd, history: BuyingHistory) -> FloatArray:
    """Log-likelihood of each customer's history, shape (n,)."""
    return _log_likelihood_and_gradient(parameters, history)[0]


def fit(history: BuyingHistory) -> Fit[BgNbd]:
    """Fit by maximum likelihood.

    Raises:
        FitFailed: too few customers, no repeat purchase, or a likelihood without a maximum.
    """
    return fit_churn(
        MODEL,
        history,
        names=("r", "alpha", "a", "b"),
        dropout_start=lambda _: (1.0, 1.0),
        parameters_of=lambda values: BgNbd(*values.tolist()),
        log_likelihood_and_gradient=_log_likelihood_and_gradient,
    )


def p_alive(parameters: BgNbd, history: BuyingHistory) -> FloatArray:
    """Probability that each customer is still alive at T, shape (n,); 1 where x = 0."""
    with np.errstate(over="ignore"):  # surely gone: the odds are infinite, the share is 0
        return 1.0 / (1.0 + np.exp(_log_odds_of_death(parameters, history)))


def conditional_expectation(parameters: BgNbd, history: BuyingHistory, weeks: float) -> FloatArray:
    """Expected purchases of each customer in the ``weeks`` (>= 0) after T, given the history.

    The closed form, eq. (10) of the paper, is the mean of what a customer buys who is alive and
    drops out with probability p, over the p of those who have stayed x times.
    """
    r, alpha, a, b = parameters.r, parameters.alpha, parameters.a, parameters.b

    def bought(x: FloatArray, age: FloatArray) -> FloatArray:
        horizon = weeks / (alpha + age)
        return beta_mean(a, b, x, lambda p, _: -np.expm1(-(r + x) * np.log1p(p * horizon)) / p)

    return p_alive(parameters, history) * in_blocks(bought, history.x, history.T)


def _log_odds_of_death(parameters: BgNbd, history: BuyingHistory) -> FloatArray:
    """Log of P(gone) / P(alive) at T; minus infinity where x = 0."""
    r, alpha, a, b = parameters.r, parameters.alpha, parameters.a, parameters.b
    again = history.x > 0
    occasions = np.where(again, b + history.x - 1.0, 1.0)
    odds = np.log(a / occasions)
    odds += (r + history.x) * np.log((alpha + history.T) / (alpha + history.t_x))
    return np.where(again, odds, -np.inf)


def _log_likelihood_and_gradient(
    parameters: BgNbd, history: BuyingHistory
) -> tuple[FloatArray, FloatArray]:
    """Log-likelihoods, shape (n,), and their gradients in (r, alpha, a, b), shape (4, n)."""
    r, alpha, a, b = parameters.r, parameters.alpha, parameters.a, parameters.b
    x, t_x, age = history.x, history.t_x, history.T
    odds = _log_odds_of_death(parameters, history)
    likelihood = (
        gammaln(r + x)
        - gammaln(r)
        + r * np.log(alpha)
        - (r + x) * np.log(alpha + age)
        + betaln(a, b + x)
        - betaln(a, b)
        + np.logaddexp(0.0, odds)
    )
    gone = np.exp(odds - np.logaddexp(0.0, odds))
    occasions = np.where(x > 0, b + x - 1.0, 1.0)
    both = digamma(a + b) - digamma(a + b + x)
    gradient = np.stack(
        [
            digamma(r + x)
            - digamma(r)
            + np.log(alpha)
            - np.log(alpha + age)
            + gone * np.log((alpha + age) / (alpha + t_x)),
            r / alpha - (r + x) * ((1.0 - gone) / (alpha + age) + gone / (alpha + t_x)),
            both + gone / a,
            both + digamma(b + x) - digamma(b) - gone / occasions,
        ]
    )
    return likelihood, gradient
