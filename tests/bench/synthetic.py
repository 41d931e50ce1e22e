"""Customers that never were: statistics drawn from the models themselves, for benches and tests."""

import numpy as np

from services.metrics.models.arrays import FloatArray
from services.metrics.models.gamma_gamma import GammaGamma
from services.metrics.models.pareto_nbd import ParetoNbd
from services.metrics.models.statistics import DAYS_PER_WEEK, BuyingHistory, CustomerStatistics

CHURN = ParetoNbd(r=0.563, alpha=12.559, s=0.408, beta=10.515)
"""As fitted on the CDNOW sample over 78 weeks."""

SPEND = GammaGamma(p=4.683, q=4.190, gamma=24.391)
"""Likewise, in US dollars."""


def synthetic_statistics(
    n: int,
    seed: int,
    *,
    churn: ParetoNbd = CHURN,
    spend: GammaGamma = SPEND,
    days: tuple[int, int] = (1, 1820),
) -> CustomerStatistics:
    """Draw ``n`` customers who live, buy and spend as the models say; the same seed, the same.

    Args:
        n: customers.
        seed: of the generator.
        churn: where purchase and death rates come from.
        spend: where mean spend comes from.
        days: how long ago, at least and at most, a customer's first purchase was.
    """
    rng = np.random.default_rng(seed)
    age = rng.integers(days[0], days[1], n, endpoint=True) / DAYS_PER_WEEK
    drawn = draw_history(rng, age, churn)
    last_day = np.floor(drawn.t_x * DAYS_PER_WEEK)
    x = np.minimum(drawn.x, last_day)  # one purchase day a day at most

    occasions = np.maximum(x, 1.0)
    scale = rng.gamma(spend.q, 1.0 / spend.gamma, n)
    repeat_cents = np.round(rng.gamma(spend.p * occasions) / scale * 100.0)
    repeat_cents = np.where(x > 0, repeat_cents, 0.0)
    first_cents = np.round(rng.gamma(spend.p, size=n) / scale * 100.0)
    return CustomerStatistics(
        customer=np.arange(n, dtype=np.int64),
        x=x,
        t_x=np.where(x > 0, last_day, 0.0) / DAYS_PER_WEEK,
        T=age,
        spend=(first_cents + repeat_cents).astype(np.int64),
        m=repeat_cents / (occasions * 100.0),
    )


def draw_history(rng: np.random.Generator, age: FloatArray, churn: ParetoNbd) -> BuyingHistory:
    """Draw, in continuous time, what customers observed for ``age`` weeks do."""
    n = len(age)
    rate = rng.gamma(churn.r, 1.0 / churn.alpha, n)
    lifetime = rng.exponential(1.0, n) / rng.gamma(churn.s, 1.0 / churn.beta, n)
    observed = np.minimum(lifetime, age)
    x = rng.poisson(rate * observed).astype(np.float64)
    last = observed * rng.random(n) ** (1.0 / np.maximum(x, 1.0))  # the latest of x uniforms
    return BuyingHistory(x, np.where(x > 0, last, 0.0), age)
