"""What each customer is worth, and all of them together.

CLV = margin * E(M | m, x) * DERT: the expected spend per future purchase day, times how many of
those are to be expected, discounted. Residual value: what was spent already is not in it. The
equity of existing customers is the sum of their CLV; future cohorts are another sum, kept apart.
"""

import math
from dataclasses import dataclass

import numpy as np

from services.metrics.models.arrays import FloatArray, IntArray
from services.metrics.models.fitting import require_positive
from services.metrics.models.gamma_gamma import GammaGamma, expected_spend
from services.metrics.models.pareto_nbd import ParetoNbd, dert_if_alive, p_alive
from services.metrics.models.statistics import CustomerStatistics

WEEKS_PER_YEAR = 52.0


@dataclass(frozen=True, slots=True)
class EquityPolicy:
    """How money is weighed.

    Attributes:
        margin: gross contribution margin as a share of spend, 0 < margin <= 1.
        annual_discount: effective rate a year, > 0 (0.15 is 15 %).
    """

    margin: float
    annual_discount: float

    def __post_init__(self) -> None:
        require_positive(margin=self.margin, annual_discount=self.annual_discount)
        if self.margin > 1.0:
            raise ValueError(f"margin must not exceed 1, but is {self.margin}")

    @property
    def delta(self) -> float:
        """The continuous discount rate per week."""
        return math.log1p(self.annual_discount) / WEEKS_PER_YEAR


@dataclass(frozen=True, slots=True, eq=False)
class CustomerValues:
    """One row per customer, in the order of the statistics they were computed from.

    Attributes:
        customer: the customers' keys.
        p_alive: probability of being alive on the as-of day.
        expected_spend: E(M | m, x), major units per future purchase day.
        dert: discounted expected residual transactions.
        clv: residual customer lifetime value, major units.
    """

    customer: IntArray
    p_alive: FloatArray
    expected_spend: FloatArray
    dert: FloatArray
    clv: FloatArray

    def __len__(self) -> int:
        return len(self.customer)


def value_customers(
    statistics: CustomerStatistics, churn: ParetoNbd, spend: GammaGamma, policy: EquityPolicy
) -> CustomerValues:
    """Value each customer on the as-of day of the statistics.

    A customer's numbers depend on that customer alone, to the last bit: not on who else is in the
    statistics, nor on how many.
    """
    alive = p_alive(churn, statistics.history)
    dert = alive * dert_if_alive(churn, statistics.history, policy.delta)
    mean_spend = expected_spend(spend, statistics.x, statistics.m)
    return CustomerValues(
        customer=statistics.customer,
        p_alive=alive,
        expected_spend=mean_spend,
        dert=dert,
        clv=policy.margin * mean_spend * dert,
    )


def total(amounts: FloatArray) -> float:
    """Sum exactly, then round once: the order of the customers does not move a cent."""
    return math.fsum(np.asarray(amounts).tolist())
