"""From purchases to what the models need of each customer: x, t_x, T and spend.

Conventions: all purchases of one customer on one day are one purchase day; x counts the purchase
days after the first; t_x and T are weeks (days / 7) from the first purchase day to the last one
and to the as-of day. Amounts stay integers in minor units until the very last division, so the
order of the purchases cannot be seen in the result.
"""

from dataclasses import dataclass

import numpy as np

from services.metrics.models.arrays import BoolArray, FloatArray, IntArray

DAYS_PER_WEEK = 7.0


@dataclass(frozen=True, slots=True, eq=False)
class BuyingHistory:
    """All that Pareto/NBD and BG/NBD look at, one entry per customer.

    Attributes:
        x: repeat purchase days (first day not counted), shape (n,).
        t_x: weeks from the first purchase day to the last; 0 where x = 0.
        T: weeks from the first purchase day to the as-of day.

    Raises:
        ValueError: shapes differ, or a row breaks 0 <= t_x <= T, or x and t_x disagree.
    """

    x: FloatArray
    t_x: FloatArray
    T: FloatArray

    def __post_init__(self) -> None:
        if not (self.x.ndim == 1 and self.x.shape == self.t_x.shape == self.T.shape):
            raise ValueError("x, t_x and T must be one-dimensional and equally long")
        sound = (self.t_x >= 0) & (self.t_x <= self.T) & np.isfinite(self.T)
        sound &= np.isfinite(self.x) & (self.x >= 0) & ((self.x > 0) | (self.t_x == 0))
        if not sound.all():
            row = int(np.argmin(sound))
            raise ValueError(
                f"row {row}: x={self.x[row]}, t_x={self.t_x[row]}, T={self.T[row]} "
                "is no buying history (0 <= t_x <= T, and t_x = 0 without repeat purchases)"
            )

    def __len__(self) -> int:
        return len(self.x)

    def distinct(self) -> tuple["BuyingHistory", FloatArray]:
        """Each distinct (x, t_x, T) once, in ascending order, and how many customers share it."""
        if len(self) == 0:
            return self, np.empty(0)
        order = np.lexsort((self.T, self.t_x, self.x))
        columns = [column[order] for column in (self.x, self.t_x, self.T)]
        starts = np.flatnonzero(_changes(*columns))
        counts = np.diff(np.append(starts, len(self))).astype(np.float64)
        return BuyingHistory(*(column[starts] for column in columns)), counts


@dataclass(frozen=True, slots=True, eq=False)
class CustomerStatistics:
    """One row per customer, columns of equal length, ascending by customer key.

    Attributes:
        customer: the customers' keys, each once.
        x: repeat purchase days.
        t_x: recency in weeks.
        T: weeks under observation.
        spend: total spend up to the as-of day, in minor units.
        m: mean spend of a repeat purchase day (the first day left out), in major units; 0 where
            x = 0.

    Raises:
        ValueError: the columns are not equally long, or the customers do not ascend.
    """

    customer: IntArray
    x: FloatArray
    t_x: FloatArray
    T: FloatArray
    spend: IntArray
    m: FloatArray

    def __post_init__(self) -> None:
        columns = (self.customer, self.x, self.t_x, self.T, self.spend, self.m)
        if len({column.shape for column in columns}) != 1:
            raise ValueError("the columns of customer statistics must be equally long")
        if not (self.customer[1:] > self.customer[:-1]).all():
            raise ValueError("customers must ascend, each once")

    def __len__(self) -> int:
        return len(self.customer)

    @property
    def history(self) -> BuyingHistory:
        """The columns that the churn models look at."""
        return BuyingHistory(self.x, self.t_x, self.T)

    def select(self, rows: BoolArray | IntArray) -> "CustomerStatistics":
        """The customers of a mask or of ascending row numbers."""
        return CustomerStatistics(
            self.customer[rows],
            self.x[rows],
            self.t_x[rows],
            self.T[rows],
            self.spend[rows],
            self.m[rows],
        )


def customer_statistics(
    customer: IntArray, day: IntArray, minor: IntArray, *, as_of: int, exponent: int
) -> CustomerStatistics:
    """Summarise purchases up to and including the day ``as_of``.

    A row is one purchase **net of its refunds** known on the as-of day: a refund lowers the amount
    of the purchase it belongs to, on that purchase's day, and is never a row of its own. Every row
    is a purchase that took place, so a day whose net amount is 0 (a free item, or all refunded)
    is still a purchase day.

    Args:
        customer: key of the buyer, shape (n,).
        day: day of the purchase, days since any one epoch.
        minor: net amount in minor units of the one currency, >= 0.
        as_of: last day that is seen; later purchases, and customers whose first purchase is later,
            do not exist yet.
        exponent: decimal places of the currency (ISO 4217): 2 for USD, 0 for JPY, 3 for BHD.

    Raises:
        ValueError: the columns differ in shape, or an amount is negative.
        OverflowError: the amounts together could leave the range of 64 bits.
    """
    if not (customer.ndim == 1 and customer.shape == day.shape == minor.shape):
        raise ValueError("customer, day and minor must be one-dimensional and equally long")
    if not 0 <= exponent <= 4:
        raise ValueError(f"a currency has 0 to 4 decimal places, not {exponent}")
    seen = day <= as_of
    customer, day, minor = (
        column[seen].astype(np.int64, casting="safe") for column in (customer, day, minor)
    )
    _check_amounts(minor)
    if len(customer) == 0:
        none, nothing = np.empty(0, np.int64), np.empty(0)
        return CustomerStatistics(none, nothing, nothing, nothing, none, nothing)

    order = np.lexsort((day, customer))
    customer, day, minor = customer[order], day[order], minor[order]
    days = np.flatnonzero(_changes(customer, day))
    day_amount = np.add.reduceat(minor, days)
    customer, day = customer[days], day[days]

    first = np.flatnonzero(_changes(customer))
    last = np.append(first[1:], len(customer)) - 1
    x = (last - first).astype(np.float64)
    spend = np.add.reduceat(day_amount, first)
    repeat_spend = (spend - day_amount[first]).astype(np.float64)
    return CustomerStatistics(
        customer=customer[first],
        x=x,
        t_x=(day[last] - day[first]) / DAYS_PER_WEEK,
        T=(as_of - day[first]) / DAYS_PER_WEEK,
        spend=spend,
        m=repeat_spend / (np.maximum(x, 1.0) * 10.0**exponent),
    )


def _check_amounts(minor: IntArray) -> None:
    if len(minor) == 0:
        return
    if minor.min() < 0:
        row = int(np.argmin(minor))
        raise ValueError(f"amount {minor[row]}: a purchase net of its refunds is never below zero")
    if int(minor.max()) * len(minor) > np.iinfo(np.int64).max:
        raise OverflowError("the amounts together could leave the range of 64-bit minor units")


def _changes(*columns: FloatArray | IntArray) -> BoolArray:
    """Mark the first row of each run of equal rows."""
    changed = np.zeros(len(columns[0]), dtype=np.bool_)
    changed[0] = True
    for column in columns:
        changed[1:] |= column[1:] != column[:-1]
    return changed
