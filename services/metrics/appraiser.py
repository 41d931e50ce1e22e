"""Answers questions of worth from the views. It computes: call it in a thread, not on the loop."""

from datetime import datetime

import duckdb
from equiloop.metrics.v1 import events_pb2 as events
from equiloop.metrics.v1 import service_pb2 as api

from libs.kernel.refusals import NotFound
from libs.kernel.values import Clock, timestamp
from libs.projection import Projection
from services.metrics import questions
from services.metrics.domain.model import KeepModel, Selection
from services.metrics.equity import customer_equity
from services.metrics.estimation import estimate
from services.metrics.snapshot import look
from services.metrics.valuation import Valuations, basis, statistics
from services.metrics.values import customer_values
from services.metrics.views import customers, fits


class Appraiser:
    """Looks at one snapshot a question. Raises Invalid for an ``as_of`` that cannot be answered."""

    def __init__(self, projection: Projection[duckdb.DuckDBPyConnection], clock: Clock) -> None:
        """Look at the views of ``projection``; `now` is what ``clock`` says."""
        self._projection, self._clock = projection, clock
        self._valuations = Valuations()

    def fit(self, model: str, selection: Selection) -> KeepModel:
        """Fit a model on the customers selected. Raises Refusal where they are too few or alike."""
        with look(self._projection) as snapshot:
            day = snapshot.day(selection.as_of, self._clock())
            among = None
            if selection.cohort:
                among = customers.select(snapshot.db, cohort=selection.cohort)
            chosen = statistics(snapshot.db, day=day, currency=selection.currency_code, among=among)
            position = snapshot.position
        return estimate(model, selection, chosen, position)

    def fitted(
        self, *, kind: int, before: int | None, limit: int
    ) -> list[tuple[int, events.ModelFitted]]:
        """Answer (position, fit), the latest first; see ``views.fits``."""
        with look(self._projection) as snapshot:
            return fits.fitted(snapshot.db, kind=kind, before=before, limit=limit)

    def equity(self, question: questions.Equity) -> api.CustomerEquity:
        """Answer customer equity. Raises Refusal until policy and models are there."""
        as_of, now = self._as_of(question.as_of)
        with look(self._projection) as snapshot:
            day = snapshot.day(as_of, now)
            rests_on = basis(snapshot.db)
            valuation = self._valuations.value(snapshot, rests_on, day)
            answer = customer_equity(snapshot.db, question, valuation, rests_on, day)
            answer.position = snapshot.position
        answer.as_of.CopyFrom(timestamp(as_of))
        return answer

    def value(self, question: questions.Value) -> api.CustomerValue:
        """Value one customer. Raises NotFound for one without a purchase by then."""
        asked = questions.Values(customers=(question.customer,), as_of=question.as_of)
        found = self.values(asked).values
        if not found:
            raise NotFound(question.customer, "customer")
        return found[0]

    def values(self, question: questions.Values) -> api.GetCustomerValuesResponse:
        """Value many customers. Raises Refusal until policy and models are there."""
        as_of, now = self._as_of(question.as_of)
        with look(self._projection) as snapshot:
            day = snapshot.day(as_of, now)
            answer = customer_values(snapshot, question.customers, basis(snapshot.db), day)
        answer.as_of.CopyFrom(timestamp(as_of))
        return answer

    def _as_of(self, asked: datetime | None) -> tuple[datetime, datetime]:
        now = self._clock()
        return asked or now, now
