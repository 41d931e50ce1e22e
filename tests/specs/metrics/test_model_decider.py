"""Models: what a fit found is kept once, and for ever."""

from datetime import datetime
from typing import Any

import pytest
from equiloop.metrics.v1 import events_pb2 as events
from pydantic import ValidationError

from libs.contract.parse import violations
from libs.kernel.refusals import AlreadyExists
from libs.kernel.values import timestamp
from services.metrics.domain.model import KeepModel, Selection, decide
from services.metrics.service import MODEL
from tests.specs.given import NOW, given
from tests.specs.metrics.facts import FITTED, PARETO, fitted


def keep(**fields: Any) -> KeepModel:
    usual = {
        "model": "models/1",
        "selection": Selection(kind=PARETO, as_of=NOW, currency_code="USD"),
        "parameters": tuple(FITTED[PARETO].items()),
        "log_likelihood": -9594.976,
        "customer_count": 2357,
        "fitted_on_position": 7,
    }
    return KeepModel.model_validate(usual | fields)


def test_a_fit_is_kept_with_all_that_it_found() -> None:
    """A fit becomes an event with its parameters in their order, and what they were fitted on."""
    given(MODEL).when(decide, keep()).then(fitted(PARETO))


def test_the_cohort_is_kept_with_the_fit() -> None:
    """Of which cohort a model speaks is part of what is kept."""
    selection = Selection(kind=PARETO, cohort="1997-q1", as_of=NOW, currency_code="EUR")
    expected = fitted(PARETO, currency="EUR")
    expected.selection.cohort = "1997-q1"
    given(MODEL).when(decide, keep(selection=selection)).then(expected)


def test_a_model_is_fitted_once() -> None:
    """A second fit under the same name is refused: what was fitted is never replaced."""
    outcome = given(MODEL, fitted(PARETO)).when(decide, keep())
    outcome.refused(AlreadyExists, "MODEL_EXISTS", model="models/1")


def test_an_instant_without_a_zone_is_in_utc() -> None:
    """The day that a fit goes up to is the day in UTC, however the instant came in."""
    naive = datetime(2024, 5, 17, 12)  # noqa: DTZ001 - on purpose
    selection = Selection(kind=PARETO, as_of=naive, currency_code="USD")
    assert selection.message().as_of == timestamp(NOW)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": 0}, "kind"),
        ({"kind": 99}, "kind"),
        ({"cohort": "No Such Label!"}, "cohort"),
        ({"currency_code": "XXX"}, "currency_code"),
        ({"currency_code": ""}, "currency_code"),
    ],
)
def test_a_selection_names_what_is_wrong_with_it(fields: dict[str, Any], field: str) -> None:
    """An unknown kind, what is no label, what is no currency: each is named by its field."""
    usual = {"kind": events.MODEL_KIND_BG_NBD, "as_of": NOW, "currency_code": "USD"}
    with pytest.raises(ValidationError) as caught:
        Selection.model_validate(usual | fields)
    assert [violation.field for violation in violations(caught.value)] == [field]
