"""How long until the customer is told, when some still wait: the Kaplan–Meier estimate."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.feedback.funnel.table import Ints

_ROUNDING = 1e-9
"""What a product of a million factors may be off by: one half must be known for one half."""


@dataclass(frozen=True, slots=True)
class Survival:
    """The share still open after each duration at which somebody was told; ascending.

    ``at_risk``: how many were open, and still observed, just before it.
    """

    durations: Ints
    shares: NDArray[np.float64]
    at_risk: Ints

    @property
    def median(self) -> int | None:
        """The least duration after which at most half are open; None while more are."""
        below = np.flatnonzero(self.shares <= 0.5 + _ROUNDING)
        return int(self.durations[below[0]]) if len(below) else None

    def thinned(self, most: int) -> "Survival":
        """Answer at most ``most`` of the points, evenly by their number, the last one kept."""
        size = len(self.durations)
        if size <= most:
            return self
        kept = np.unique(np.linspace(0, size - 1, most).round().astype(np.int64))
        return Survival(self.durations[kept], self.shares[kept], self.at_risk[kept])


def survival(told: Ints, waiting: Ints) -> Survival:
    """Answer the estimate from the durations after which some were told, and others still wait.

    S(t) = Π (1 − d_i / n_i) over the durations t_i ≤ t after which d_i were told, n_i then being
    at risk (Kaplan & Meier 1958). Who waits leaves after his duration, and is at risk at it.

    Eight items, in days: told after 2, 3, 3, 5 and 9; waiting for 3, 6 and 7. S is 1 − 1/8 = .875
    after 2 days, × (1 − 2/7) = .625 after 3, and × (1 − 1/4) = .469 after 5: the median is 5 days.

    >>> survival(np.array([2, 3, 3, 5, 9]), np.array([3, 6, 7])).median
    5
    """
    ended = np.sort(told)
    first = np.flatnonzero(np.append(len(ended) > 0, ended[1:] != ended[:-1])[: len(ended)])
    durations, counts = ended[first], np.diff(np.append(first, len(ended)))
    # Who waits has come in order, nearly: a stable sort sees that.
    gone = first + np.searchsorted(np.sort(waiting, kind="stable"), durations)
    at_risk = len(told) + len(waiting) - gone
    return Survival(durations, np.cumprod(1 - counts / at_risk), at_risk)
