"""The real cohort and hand-made customers that the specs of the models look at."""

from collections.abc import Iterable
from datetime import date
from functools import cache

import numpy as np
from hypothesis import strategies as st

from deploy.demo import cdnow
from services.metrics.models.arrays import FloatArray, IntArray
from services.metrics.models.statistics import (
    BuyingHistory,
    CustomerStatistics,
    customer_statistics,
)

US_DOLLAR = 2
"""Decimal places of the currency of the cohort."""


def columns(purchases: Iterable[cdnow.Purchase]) -> tuple[IntArray, IntArray, IntArray]:
    """Customer, day and cents of each purchase."""
    rows = [(p.customer, p.day.toordinal(), p.cents) for p in purchases]
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


@cache
def sample(as_of: date) -> CustomerStatistics:
    """One CDNOW customer in ten, as of a day."""
    customer, day, cents = columns(cdnow.read_sample())
    return customer_statistics(customer, day, cents, as_of=as_of.toordinal(), exponent=US_DOLLAR)


@cache
def master(as_of: date) -> CustomerStatistics:
    """All CDNOW customers, as of a day."""
    customer, day, cents = columns(cdnow.read_master())
    return customer_statistics(customer, day, cents, as_of=as_of.toordinal(), exponent=US_DOLLAR)


def history(*rows: tuple[float, float, float]) -> BuyingHistory:
    """Build customers from (x, t_x, T)."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return BuyingHistory(*(np.ascontiguousarray(column) for column in table.T))


def floats(*values: float) -> FloatArray:
    """Build a column."""
    return np.array(values, dtype=np.float64)


@st.composite
def histories(draw: st.DrawFn) -> tuple[float, float, float]:
    """Draw (x, t_x, T) of a customer observed for up to 20 years, on whole days."""
    days = draw(st.integers(0, 7300))
    last = draw(st.integers(0, days))
    x = draw(st.integers(1, last)) if last else 0
    return float(x), last / 7, days / 7
