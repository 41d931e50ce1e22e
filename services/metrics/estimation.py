"""Fitting by name: a kind of model and customers in, parameters out."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from equiloop.metrics.v1 import events_pb2 as events

from libs.kernel.refusals import Refusal
from services.metrics.domain.model import KeepModel, Selection
from services.metrics.models import bg_nbd, gamma_gamma, pareto_nbd
from services.metrics.models.fitting import Fit, FitFailed
from services.metrics.models.statistics import CustomerStatistics

_FITS: Mapping[int, Callable[[CustomerStatistics], Fit[Any]]] = {
    events.MODEL_KIND_PARETO_NBD: lambda customers: pareto_nbd.fit(customers.history),
    events.MODEL_KIND_BG_NBD: lambda customers: bg_nbd.fit(customers.history),
    events.MODEL_KIND_GAMMA_GAMMA: lambda customers: gamma_gamma.fit(customers.x, customers.m),
}


def estimate(
    model: str, selection: Selection, customers: CustomerStatistics, position: int
) -> KeepModel:
    """Fit what ``selection`` names on ``customers``, as the log has them up to ``position``.

    Raises Refusal where these customers cannot tell the parameters.
    """
    try:
        fit = _FITS[selection.kind](customers)
    except FitFailed as failure:
        raise Refusal("FIT_FAILED", str(failure), customers=str(failure.n)) from None
    return KeepModel(
        model=model,
        selection=selection,
        parameters=tuple(asdict(fit.parameters).items()),
        log_likelihood=fit.log_likelihood,
        customer_count=fit.n,
        fitted_on_position=position,
    )
