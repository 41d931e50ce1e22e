"""Maximum likelihood for positive parameters: one way to fit for every model here."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from scipy.optimize import minimize

from services.metrics.models.arrays import FloatArray

MINIMUM_CUSTOMERS = 10
"""Fewer observations than this say nothing about how customers differ."""

REACH = math.log(1e4)
"""A parameter may move this far (in its logarithm) from where the search starts."""

FLAT = 1e-6
"""Largest slope of the mean log-likelihood, per log-parameter, that counts as a maximum."""

Parameters = TypeVar("Parameters")

LogLikelihood = Callable[[FloatArray], tuple[float, FloatArray]]
"""Parameters -> total log-likelihood and its gradient with respect to the parameters."""


@dataclass(frozen=True, slots=True)
class Fit(Generic[Parameters]):
    """Fitted parameters, the log-likelihood they reach, and the number of customers behind it."""

    parameters: Parameters
    log_likelihood: float
    n: int


class FitFailed(Exception):
    """A model could not be fitted; says which, on how many customers, and why."""

    def __init__(self, model: str, n: int, why: str) -> None:
        super().__init__(f"{model} could not be fitted on {n} customers: {why}")
        self.model = model
        self.n = n
        self.why = why


def maximise(
    model: str, n: int, names: Sequence[str], start: Sequence[float], log_likelihood: LogLikelihood
) -> tuple[FloatArray, float]:
    """Find the parameters of highest likelihood.

    The search runs in the logarithms of the parameters, which keeps them positive and makes the
    result independent of the units; it starts at a fixed place and draws nothing, so the same
    data give the same bits.

    Args:
        model: its name, for the error.
        n: customers behind the likelihood.
        names: the parameters' names, in order.
        start: where the search begins, each > 0.
        log_likelihood: total over the customers, and its gradient.

    Returns:
        The parameters, in order, and the log-likelihood there.

    Raises:
        FitFailed: there is no maximum within reach of the start, or the search did not settle.
    """

    def loss(theta: FloatArray) -> tuple[float, FloatArray]:
        parameters = np.exp(theta)
        value, gradient = log_likelihood(parameters)
        return -value / n, -gradient * parameters / n

    origin = np.log(np.asarray(start, dtype=np.float64))
    found = minimize(
        loss,
        origin,
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip(origin - REACH, origin + REACH, strict=True)),
        options={"maxiter": 1000, "maxcor": 20, "ftol": 0.0, "gtol": 1e-9},
    )
    theta = np.asarray(found.x, dtype=np.float64)
    for name, moved in zip(names, np.abs(theta - origin), strict=True):
        if moved > 0.99 * REACH:
            raise FitFailed(model, n, f"no maximum: {name} runs away (too few customers, or alike)")
    value, slope = loss(theta)
    if not (np.isfinite(value) and np.abs(slope).max() <= FLAT):
        raise FitFailed(model, n, f"the search did not settle: {found.message}")
    return np.exp(theta), -value * n


def require(condition: bool, model: str, n: int, why: str) -> None:
    """Refuse data that cannot identify a model."""
    if not condition:
        raise FitFailed(model, n, why)


def require_positive(**parameters: float) -> None:
    """Refuse parameters that are not positive finite numbers.

    Raises:
        ValueError: names the first offender.
    """
    for name, value in parameters.items():
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a positive finite number, not {value}")
