"""What the fits of both churn models have in common: grouped histories and where to start."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from services.metrics.models.arrays import FloatArray
from services.metrics.models.fitting import MINIMUM_CUSTOMERS, Fit, maximise, require
from services.metrics.models.statistics import BuyingHistory

Parameters = TypeVar("Parameters")


def fit_churn(
    model: str,
    history: BuyingHistory,
    *,
    names: Sequence[str],
    dropout_start: Callable[[float], tuple[float, float]],
    parameters_of: Callable[[FloatArray], Parameters],
    log_likelihood_and_gradient: Callable[
        [Parameters, BuyingHistory], tuple[FloatArray, FloatArray]
    ],
) -> Fit[Parameters]:
    """Fit a model whose customers buy at a Poisson rate ~ Gamma(r, alpha) until they drop out.

    Customers with the same (x, t_x, T) are evaluated once; the groups are sorted, so the order of
    the customers cannot be seen in the fit.

    Args:
        model: its name, for errors.
        history: the customers.
        names: of the parameters, the first two being r and alpha.
        dropout_start: mean of T -> where to start the two parameters of dropping out.
        parameters_of: values in the order of the names -> parameters.
        log_likelihood_and_gradient: per customer, shapes (n,) and (4, n).

    Raises:
        FitFailed: too few customers, no repeat purchase, or a likelihood without a maximum.
    """
    n = len(history)
    require(n >= MINIMUM_CUSTOMERS, model, n, f"at least {MINIMUM_CUSTOMERS} are needed")
    require(bool(history.x.any()), model, n, "none of them bought on a second day")
    groups, counts = history.distinct()

    def total(values: FloatArray) -> tuple[float, FloatArray]:
        likelihood, gradient = log_likelihood_and_gradient(parameters_of(values), groups)
        return float((counts * likelihood).sum()), (counts * gradient).sum(axis=1)

    weeks, purchases = float((counts * groups.T).sum()), float((counts * groups.x).sum())
    start = (1.0, weeks / purchases, *dropout_start(weeks / n))
    best, reached = maximise(model, n, names, start, total)
    return Fit(parameters_of(best), reached, n)
