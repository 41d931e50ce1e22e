"""What each customer is worth on a day, from the rows of one snapshot.

Purchases are whole minor units until the models take them; DuckDB joins and filters them, and sums
nothing but whole numbers. So the same history gives the same cents.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass

import duckdb
from equiloop.metrics.v1 import events_pb2 as events

from libs.kernel.money import EXPONENTS
from libs.kernel.refusals import Refusal
from services.metrics.models.arrays import IntArray
from services.metrics.models.equity import CustomerValues, EquityPolicy, value_customers
from services.metrics.models.gamma_gamma import GammaGamma
from services.metrics.models.pareto_nbd import ParetoNbd
from services.metrics.models.statistics import CustomerStatistics, customer_statistics
from services.metrics.snapshot import Snapshot
from services.metrics.views import fits, policies, purchases


@dataclass(frozen=True, slots=True)
class Basis:
    """What values rest on beside purchases: the policy, and the latest fit of each model."""

    policy: events.EquityPolicySet
    revision: int
    purchase_model: events.ModelFitted
    spend_model: events.ModelFitted

    @property
    def currency(self) -> str:
        """The one that equity is counted in."""
        return self.policy.currency_code


@dataclass(frozen=True, slots=True, eq=False)
class Valuation:
    """Customers who bought by a day: what they did and what they are worth, row by row."""

    statistics: CustomerStatistics
    values: CustomerValues


def basis(db: duckdb.DuckDBPyConnection) -> Basis:
    """Answer what values rest on. Raises Refusal while anything of it is missing."""
    current = policies.current(db)
    if current is None:
        raise Refusal("EQUITY_POLICY_NOT_SET", "no equity policy was set (SetEquityPolicy)")
    policy, revision = current
    buying = fits.latest(db, events.MODEL_KIND_PARETO_NBD, policy.currency_code)
    spending = fits.latest(db, events.MODEL_KIND_GAMMA_GAMMA, policy.currency_code)
    if buying is None or spending is None:
        kinds = {events.MODEL_KIND_PARETO_NBD: buying, events.MODEL_KIND_GAMMA_GAMMA: spending}
        missing = ", ".join(events.ModelKind.Name(k) for k, fit in kinds.items() if fit is None)
        message = f"not fitted on purchases in {policy.currency_code} (FitModel): {missing}"
        raise Refusal(
            "MODEL_NOT_FITTED", message, kinds=missing, currency_code=policy.currency_code
        )
    return Basis(policy, revision, buying, spending)


def statistics(
    db: duckdb.DuckDBPyConnection, *, day: int, currency: str, among: IntArray | None = None
) -> CustomerStatistics:
    """Summarise purchases in a currency up to the end of ``day``, of all or of some keys."""
    rows = purchases.bought(db, day=day, currency=currency, among=among)
    return customer_statistics(
        rows.customer, rows.day, rows.minor, as_of=day, exponent=EXPONENTS[currency]
    )


def value(
    db: duckdb.DuckDBPyConnection, basis: Basis, day: int, among: IntArray | None = None
) -> Valuation:
    """Value all customers, or some by their keys; what one is worth does not depend on the rest."""
    customers = statistics(db, day=day, currency=basis.currency, among=among)
    churn = ParetoNbd(**_parameters(basis.purchase_model))
    spend = GammaGamma(**_parameters(basis.spend_model))
    policy = EquityPolicy(basis.policy.margin, basis.policy.annual_discount_rate)
    return Valuation(customers, value_customers(customers, churn, spend, policy))


def _parameters(model: events.ModelFitted) -> dict[str, float]:
    return {parameter.name: parameter.value for parameter in model.parameters}


class Valuations:
    """Valuations of all customers, kept by their day for as long as the views stand still."""

    def __init__(self, capacity: int = 4) -> None:
        """Keep the ``capacity`` days asked for last (about 90 bytes a customer and day)."""
        self._capacity, self._checkpoint = capacity, -1
        self._kept: OrderedDict[int, Valuation] = OrderedDict()
        self._lock = threading.Lock()

    def value(self, snapshot: Snapshot, basis: Basis, day: int) -> Valuation:
        """Value all customers as of ``day``; who asks meanwhile waits for the same answer."""
        with self._lock:
            if snapshot.checkpoint != self._checkpoint:
                self._kept.clear()
                self._checkpoint = snapshot.checkpoint
            if day not in self._kept:
                self._kept[day] = value(snapshot.db, basis, day)
            self._kept.move_to_end(day)
            if len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
            return self._kept[day]
