"""How long until the customer is told, when some still wait: the Kaplan–Meier estimate."""

from collections.abc import Iterable

_ROUNDING = 1e-9
"""What a product of a million factors may be off by: one half must be known for one half."""


def median_time(durations: Iterable[tuple[int, int, int]], population: int) -> int | None:
    """Answer the least duration at which at most half are still open; None while more are.

    ``durations`` is (duration, told, censored) in ascending order of duration, the numbers of
    those told after it and of those who at that age still wait. ``population`` is the number of
    all. S(t) = Π (1 − told_i / at_risk_i) over durations up to t (Kaplan & Meier 1958); those
    who wait leave the risk set after their age and count as at risk at it. Without anybody who
    waits it is the ordinary (lower) median.

    Eight items, in days: told after 2, 3, 3, 5 and 9; waiting for 3, 6 and 7. S is 1 − 1/8 = .875
    after 2 days, × (1 − 2/7) = .625 after 3, and × (1 − 1/4) = .469 after 5: the median is 5 days.

    >>> median_time([(2, 1, 0), (3, 2, 1), (5, 1, 0), (6, 0, 1), (7, 0, 1), (9, 1, 0)], 8)
    5
    """
    surviving, at_risk = 1.0, population
    for duration, told, censored in durations:
        if told:
            surviving *= 1 - told / at_risk
            if surviving <= 0.5 + _ROUNDING:
                return duration
        at_risk -= told + censored
    return None
