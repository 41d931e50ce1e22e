"""NPS, CSAT and CES of counted answers, by the definitions of the contract."""

from collections.abc import Mapping
from math import sqrt
from typing import NamedTuple

Counts = Mapping[int, int]
"""How often each value was answered."""


class Figure(NamedTuple):
    """A score and its standard error, in its own unit; None where there are too few answers."""

    value: float | None
    error: float | None


def nps(counts: Counts) -> Figure:
    """Answer 100 (p − d) for the shares of promoters (9–10) and detractors (0–6).

    Its standard error is 100 √[(p + d − (p − d)²) / n]. Of 4 promoters, 3 passives and 3
    detractors: 10, with 100 √(0.69 / 10).

    >>> nps({10: 3, 9: 1, 8: 3, 6: 2, 0: 1})
    Figure(value=10.0, error=26.267851073127...)
    """
    n = sum(counts.values())
    if not n:
        return Figure(None, None)
    p = sum(count for value, count in counts.items() if value >= 9) / n
    d = sum(count for value, count in counts.items() if value <= 6) / n
    error = 100 * sqrt(max(p + d - (p - d) ** 2, 0.0) / n)
    return Figure(round(100 * (p - d), 9), error if n > 1 else None)


def csat(counts: Counts) -> Figure:
    """Answer the percentage p of the two best of five, with standard error √[p (100 − p) / n].

    >>> csat({5: 2, 4: 1, 1: 1})
    Figure(value=75.0, error=21.650635094610...)
    """
    n = sum(counts.values())
    if not n:
        return Figure(None, None)
    p = 100 * sum(count for value, count in counts.items() if value >= 4) / n
    return Figure(p, sqrt(p * (100 - p) / n) if n > 1 else None)


def ces(counts: Counts) -> Figure:
    """Answer the mean, with standard error s / √n; s² has n − 1 beneath.

    >>> ces({7: 2, 4: 1})
    Figure(value=6.0, error=1.0)
    """
    n = sum(counts.values())
    if not n:
        return Figure(None, None)
    mean = sum(value * count for value, count in counts.items()) / n
    squares = sum(count * (value - mean) ** 2 for value, count in counts.items())
    return Figure(mean, sqrt(squares / (n - 1) / n) if n > 1 else None)
