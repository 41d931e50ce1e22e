"""The integrals behind the models, by quadrature.

The literature writes them with special functions: differences of Gauss' 2F1, which cancel and
overflow for heavy buyers, and the confluent hypergeometric U, whose usual routes have poles at
integer s. The integrals themselves are smooth and positive, so quadrature in a logarithmic
variable is accurate everywhere (a relative 1e-12 at worst, far outside what is ever fitted), at a
few nanoseconds a node. Every answer depends on its own row alone, whatever stands beside it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from services.metrics.models.arrays import FloatArray

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)
_UNIT_RULE = [(float(n + 1) / 2, float(w) / 2) for n, w in zip(_NODES, _WEIGHTS, strict=True)]
"""Gauss-Legendre on (0, 1): (node, weight)."""

_NEGLIGIBLE = 40.0
"""Once a falling factor has reached exp(-40), what lies beyond is lost in a double."""

_STEP = 0.2
"""Of the trapezoidal rule, whose error of about exp(-pi**2 / step) is lost in a double."""

_UNDERFLOW = 746.0
"""exp(-746) is exactly 0."""

_LEAST = -690.0
"""Logarithm of a number that is as good as 0 and can be divided by."""


@dataclass(frozen=True, slots=True, eq=False)
class FallingPowers:
    """The integral of (1 + u/near)^-near_power (1 + u/far)^-far_power over u from 0 to span.

    Attributes:
        near: the smaller offset, > 0. In the variable v = ln(1 + u/near) every singularity of the
            integrand stays at least pi away from the real line, so few nodes suffice.
        near_power: its exponent, > 0.
        far: the larger offset, >= near.
        far_power: its exponent, > 0.
        span: length of the interval, >= 0.
    """

    near: FloatArray
    near_power: float | FloatArray
    far: FloatArray
    far_power: float | FloatArray
    span: FloatArray

    def value(self) -> FloatArray:
        """The integral itself, in the units of u; between 0 and span."""
        total = np.zeros_like(self.span)
        for mass, _, _ in self._nodes():
            total += mass
        return total

    def moments(self) -> tuple[FloatArray, dict[str, FloatArray]]:
        """The integral, and means under its normalised integrand (0 where the span is 0).

        ``near_log`` and ``far_log`` are the means of ln(1 + u/offset), ``near_inverse`` and
        ``far_inverse`` those of 1/(offset + u): what derivatives of the integral are made of.
        """
        total = np.zeros_like(self.span)
        sums = {
            name: np.zeros_like(self.span)
            for name in ("near_log", "far_log", "near_inverse", "far_inverse")
        }
        for mass, near_log, far_log in self._nodes():
            total += mass
            sums["near_log"] += mass * near_log
            sums["far_log"] += mass * far_log
            sums["near_inverse"] += mass * np.exp(-near_log)
            sums["far_inverse"] += mass * np.exp(-far_log)
        scale = np.where(total > 0, total, 1.0)
        means = {name: column / scale for name, column in sums.items()}
        means["near_inverse"] /= self.near
        means["far_inverse"] /= self.far
        return total, means

    def _nodes(self) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
        """Yield, node by node: weighted integrand, ln(1 + u/near), ln(1 + u/far)."""
        ratio = self.near / self.far
        end = np.log1p(self.span / self.near)
        end = np.minimum(end, _NEGLIGIBLE / self.near_power)
        with np.errstate(over="ignore"):
            end = np.minimum(end, np.log1p(np.expm1(_NEGLIGIBLE / self.far_power) / ratio))
        width = end * self.near
        for node, weight in _UNIT_RULE:
            near_log = node * end
            far_log = np.log1p(ratio * np.expm1(near_log))
            exponent = (1.0 - self.near_power) * near_log
            exponent -= self.far_power * far_log
            mass = np.exp(exponent)
            mass *= width
            mass *= weight
            yield mass, near_log, far_log


def discounted_lifetime(s: float, delta: float, age: FloatArray) -> FloatArray:
    """Expected discounted remaining lifetime of a customer who is alive.

    The integral over u > 0 of exp(-delta u) (1 + u/age)^-s, that is age^s delta^(s-1)
    U(s, s, delta age) with U the confluent hypergeometric function of the second kind. The
    trapezoidal rule in ln(u/age) converges geometrically for every s.

    Args:
        s: shape of the distribution of death rates, > 0.
        delta: continuous discount rate per week, > 0.
        age: beta + T in weeks, > 0, shape (n,) with n > 0.

    Returns:
        Weeks, between 0 and 1/delta.
    """
    z = delta * age
    last = np.log(_UNDERFLOW / z.min())  # beyond it every row adds an exact 0
    total = np.zeros_like(z)
    for y in np.arange(-_NEGLIGIBLE, last, _STEP):
        t = float(np.exp(y))
        total += (_STEP * t * (1.0 + t) ** -s) * np.exp(-t * z)
    return age * total


def beta_mean(
    a: float, b: float, stayed: FloatArray, function: Callable[[float, float], float | FloatArray]
) -> FloatArray:
    """Mean of a function of p ~ Beta(a, b + stayed), row by row.

    The trapezoidal rule in the log-odds of p, with steps that follow the narrowest width the
    distribution can have.

    Args:
        a: first shape, > 0.
        b: least second shape, > 0.
        stayed: what each row adds to b, >= 0 (and below exp(25)).
        function: of p and 1 - p (neither ever exactly 0), one answer for all rows or one for each;
            bounded, and smooth in the log-odds.
    """
    step = 0.25 / np.sqrt(max(1.0, a))
    first, last = -_NEGLIGIBLE / a - 25.0, _NEGLIGIBLE / b + 5.0
    shape = b + stayed
    peak = a * np.log(a / (a + shape)) + shape * np.log(shape / (a + shape))
    mass, total = np.zeros_like(stayed), np.zeros_like(stayed)
    for odds in np.arange(first, last, step).tolist():
        log_p, log_q = -np.logaddexp(0.0, -odds), -np.logaddexp(0.0, odds)
        weight = np.exp(a * log_p + shape * log_q - peak)
        mass += weight
        total += weight * function(*np.exp(np.maximum([log_p, log_q], _LEAST)).tolist())
    return total / mass
