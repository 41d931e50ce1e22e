"""Constant retention: each named case is the series that its words describe."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.metrics.models.retention import RetentionCase, lifetime_value

FIRST_PAYMENT = {
    RetentionCase.NEW_CUSTOMER_PAID_AT_START: (0, 0),
    RetentionCase.NEW_CUSTOMER_PAID_AT_END: (0, 1),
    RetentionCase.EXISTING_CUSTOMER: (1, 1),
}
"""Per case: renewals before the first payment, and periods until it."""


@pytest.mark.parametrize(
    ("case", "value"),
    [
        (RetentionCase.NEW_CUSTOMER_PAID_AT_START, 100 * 1.1 / 0.3),
        (RetentionCase.EXISTING_CUSTOMER, 100 * 0.8 / 0.3),
        (RetentionCase.NEW_CUSTOMER_PAID_AT_END, 100 / 0.3),
    ],
)
def test_each_case_has_its_formula(case: RetentionCase, value: float) -> None:
    """For m = 100, r = .8, d = .1: 366.67, 266.67 and 333.33, all of them right."""
    assert lifetime_value(case, margin=100, retention=0.8, discount=0.1) == pytest.approx(value)


@given(st.sampled_from(RetentionCase), st.floats(0, 0.99), st.floats(0.01, 1))
def test_each_case_is_its_series(case: RetentionCase, r: float, d: float) -> None:
    """Adding up payments, retained and discounted from where the case begins, gives the value."""
    renewals, periods = FIRST_PAYMENT[case]
    first = r**renewals / (1 + d) ** periods
    series = sum(first * (r / (1 + d)) ** k for k in range(2000))

    assert lifetime_value(case, margin=1.0, retention=r, discount=d) == pytest.approx(series)


@pytest.mark.parametrize(("r", "d"), [(1.1, 0.1), (-0.1, 0.1), (0.8, 0.0), (0.8, float("nan"))])
def test_rates_out_of_range_are_refused(r: float, d: float) -> None:
    """A retention rate is a share, and a future without discount has no finite value."""
    with pytest.raises(ValueError, match="must"):
        lifetime_value(RetentionCase.EXISTING_CUSTOMER, margin=1.0, retention=r, discount=d)
