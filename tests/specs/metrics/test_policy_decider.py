"""The equity policy: decided within bounds, kept as long as nobody decides otherwise."""

import math
from typing import Any

import pytest
from google.type.money_pb2 import Money
from pydantic import ValidationError

from libs.contract.parse import violations
from services.metrics.domain.policy import SetEquityPolicy, decide
from services.metrics.service import POLICY
from tests.specs.given import NOW, given
from tests.specs.metrics.facts import decided, on, usd

USUAL = {"margin": 0.3, "annual_discount_rate": 0.15, "currency_code": "USD"}


def choose(**fields: Any) -> SetEquityPolicy:
    return SetEquityPolicy.model_validate(USUAL | fields)


def test_a_policy_is_set() -> None:
    """Margin, discount and currency become the policy; without a limit nobody is left out."""
    given(POLICY).when(decide, choose()).then(decided())


def test_a_spend_limit_is_kept_in_minor_units() -> None:
    """A limit of 4,000.50 dollars is 400,050 cents."""
    limit = Money(currency_code="USD", units=4000, nanos=500_000_000)
    given(POLICY).when(decide, choose(spend_limit=limit)).then(decided(limit=400_050))


def test_the_same_policy_again_changes_nothing() -> None:
    """What is so already is not decided again, whenever it was decided."""
    before = decided(limit=4_200_00, at=on(1))
    given(POLICY, before).when(decide, choose(spend_limit=usd(4_200_00))).then()


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        ({"margin": 0.31}, {"margin": 0.31}),
        ({"annual_discount_rate": 0.1}, {"discount": 0.1}),
        ({"currency_code": "EUR"}, {"currency": "EUR"}),
        ({"spend_limit": usd(1)}, {"limit": 1}),
    ],
)
def test_another_policy_replaces_the_one_before(
    fields: dict[str, Any], change: dict[str, Any]
) -> None:
    """Each part of the policy can be decided anew, at the instant at which it is."""
    outcome = given(POLICY, decided(at=on(1))).when(decide, choose(**fields), now=NOW)
    outcome.then(decided(**change))


def test_the_policy_before_last_may_come_back() -> None:
    """Only the last policy counts: an earlier one may be decided again."""
    history = decided(margin=0.3), decided(margin=0.4)
    given(POLICY, *history).when(decide, choose()).then(decided())


@pytest.mark.parametrize("bound", [{"margin": 1.0}, {"annual_discount_rate": 10.0}])
def test_the_upper_bounds_are_allowed(bound: dict[str, float]) -> None:
    """All of revenue may be margin, and ten a year is the highest discount."""
    assert len(given(POLICY).when(decide, choose(**bound)).events) == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"margin": 0.0}, "margin"),
        ({"margin": 1.01}, "margin"),
        ({"margin": math.nan}, "margin"),
        ({"annual_discount_rate": 0.0}, "annual_discount_rate"),
        ({"annual_discount_rate": 10.5}, "annual_discount_rate"),
        ({"annual_discount_rate": math.inf}, "annual_discount_rate"),
        ({"currency_code": "ABC"}, "currency_code"),
        ({"spend_limit": usd(0)}, "spend_limit"),
        ({"spend_limit": usd(-1)}, "spend_limit"),
        ({"spend_limit": Money(currency_code="EUR", units=1)}, "spend_limit"),
        ({"spend_limit": Money(currency_code="USD", nanos=1)}, "spend_limit"),
    ],
)
def test_a_policy_names_what_is_wrong_with_it(fields: dict[str, Any], field: str) -> None:
    """Each part that is out of its bounds is refused by its own name."""
    with pytest.raises(ValidationError) as caught:
        choose(**fields)
    assert {found.field.partition(".")[0] for found in violations(caught.value)} == {field}
