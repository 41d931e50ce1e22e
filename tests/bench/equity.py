"""Equity of a million customers, from ready statistics."""

import time
from pathlib import Path
from statistics import median

import numpy as np

from services.metrics.models.equity import EquityPolicy, total, value_customers
from services.metrics.models.gamma_gamma import GammaGamma
from services.metrics.models.pareto_nbd import ParetoNbd
from services.metrics.models.statistics import CustomerStatistics
from tests.bench.report import Row

CHURN = ParetoNbd(r=0.553, alpha=10.578, s=0.606, beta=11.669)
SPEND = GammaGamma(p=6.25, q=3.74, gamma=15.44)


def synthetic(count: int, seed: int = 1) -> CustomerStatistics:
    """Draw ``count`` customers who bought as CDNOW's did: Poisson while alive, seen for a year."""
    draw = np.random.default_rng(seed)
    age = draw.integers(30, 3 * 365, count) / 7.0
    rate = draw.gamma(CHURN.r, 1 / CHURN.alpha, count)
    life = draw.exponential(1 / draw.gamma(CHURN.s, 1 / CHURN.beta, count))
    seen = np.minimum(age, life)
    x = draw.poisson(rate * seen).astype(float)
    last = seen * draw.random(count) ** (1 / np.maximum(x, 1))
    t_x = np.where(x > 0, np.minimum(np.maximum(np.floor(last * 7), 1) / 7, age), 0.0)
    m = np.where(x > 0, draw.gamma(6.0, 6.0, count), 0.0)
    spend = np.rint((x + 1) * np.maximum(m, 20.0) * 100).astype(np.int64)
    return CustomerStatistics(np.arange(count), x, t_x, age, spend, m)


def measure(_: Path, count: int = 1_000_000, rounds: int = 3) -> list[Row]:
    """Value all of them, a few times."""
    statistics, policy = synthetic(count), EquityPolicy(0.30, 0.15)
    seconds = []
    for _round in range(rounds):
        started = time.perf_counter()
        total(value_customers(statistics, CHURN, SPEND, policy).clv)
        seconds.append(time.perf_counter() - started)
    took = median(seconds)
    return [Row(f"equity of {count:,} customers", f"{took:.2f} s", "-", took, 2.0, below=True)]
