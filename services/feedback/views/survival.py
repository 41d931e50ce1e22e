"""How long until the customer is told, when some still wait: the Kaplan–Meier estimate."""

from collections.abc import Iterable


def median_time(durations: Iterable[tuple[int, int, int]], population: int) -> int | None:
    """Answer the least duration at which at most half are still open; None while more are.

    ``durations`` is (duration, told, censored) in ascending order of duration, the numbers of
    those told after it and of those who at that age still wait. ``population`` is the number of
    all. S(t) = Π (1 − told_i / at_risk_i) over durations up to t (Kaplan & Meier 1958); those
    who wait leave the risk set after their age and count as at risk at it.
    """
    surviving, at_risk = 1.0, population
    for duration, told, censored in durations:
        if told:
            surviving *= 1 - told / at_risk
            if surviving <= 0.5:
                return duration
        at_risk -= told + censored
    return None
