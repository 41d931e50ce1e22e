"""Customer equity: values summed over all customers asked for, and over groups of them.

Sums are exact and rounded once (math.fsum), each sum for itself: half to even, to whole minor
units. So the parts of a total may differ from it by a cent, and no order of customers ever does.
"""

from dataclasses import dataclass
from fractions import Fraction

import duckdb
import numpy as np
from equiloop.metrics.v1 import service_pb2 as api

from libs.kernel.money import to_message, to_minor
from services.metrics import questions, resources
from services.metrics.models.arrays import BoolArray, FloatArray, IntArray
from services.metrics.models.equity import total
from services.metrics.valuation import Basis, Valuation
from services.metrics.views import customers, purchases


def customer_equity(
    db: duckdb.DuckDBPyConnection,
    question: questions.Equity,
    valuation: Valuation,
    basis: Basis,
    day: int,
) -> api.CustomerEquity:
    """Answer the question from a valuation of all customers; as_of and position are left open."""
    keys = _keys(db, question)
    asked = _among(valuation.statistics.customer, keys)
    limit = basis.policy.spend_limit_minor
    over = valuation.statistics.spend > limit if limit else np.zeros_like(asked)
    counted = _Counted(valuation, asked & ~over, basis.currency)
    foreign, often = purchases.foreign(db, day=day, currency=basis.currency)
    return api.CustomerEquity(
        total=counted.group(""),
        groups=counted.groups(db, api.EquityGrouping.ValueType(question.group_by)),
        left_out_customer_count=int((asked & over).sum()),
        left_out_purchase_count=int(often[_among(foreign, keys)].sum()),
        purchase_model=basis.purchase_model.model,
        spend_model=basis.spend_model.model,
        policy=resources.policy(basis.policy, basis.revision),
    )


def _keys(db: duckdb.DuckDBPyConnection, question: questions.Equity) -> IntArray | None:
    """Answer the keys of the customers asked for; None: all."""
    cohort, segment, manager = question.cohort, question.segment, question.customer_manager
    if not (cohort or segment or manager):
        return None
    return customers.select(db, cohort=cohort or "", segment=segment or "", manager=manager or "")


def _among(customer: IntArray, keys: IntArray | None) -> BoolArray:
    if keys is None:
        return np.ones(len(customer), dtype=np.bool_)
    return np.isin(customer, keys, assume_unique=True)


def _rows(customer: IntArray, keys: IntArray) -> IntArray:
    """Answer the rows of those of ``keys`` that are there; both ascend."""
    rows = np.searchsorted(customer, keys)
    within = rows < len(customer)
    rows, keys = rows[within], keys[within]
    found: IntArray = rows[customer[rows] == keys]
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Counted:
    """The customers of a valuation that count."""

    valuation: Valuation
    rows: BoolArray
    currency: str

    def group(self, key: str, rows: BoolArray | IntArray | None = None) -> api.EquityGroup:
        """Sum over ``rows`` (None: all that count)."""
        rows = self.rows if rows is None else rows
        clv = self.valuation.values.clv[rows]
        again = self.valuation.statistics.x[rows] > 0
        return api.EquityGroup(
            key=key,
            total=self._share(clv),
            with_repeat=self._share(clv[again]),
            without_repeat=self._share(clv[~again]),
        )

    def groups(
        self, db: duckdb.DuckDBPyConnection, grouping: api.EquityGrouping.ValueType
    ) -> list[api.EquityGroup]:
        """Sum over each group in which somebody counts."""
        if not grouping:
            return []
        answer = []
        for key, members in customers.groups(db, grouping):
            rows = _rows(self.valuation.statistics.customer, members)
            rows = rows[self.rows[rows]]
            if len(rows):
                answer.append(self.group(key, rows))
        return answer

    def _share(self, clv: FloatArray) -> api.EquityShare:
        share = api.EquityShare(
            customer_count=len(clv), equity=resources.money(total(clv), self.currency)
        )
        if len(clv):
            mean = round(Fraction(to_minor(share.equity), len(clv)))
            share.mean_clv.CopyFrom(to_message(mean, self.currency))
        return share
