"""Money as it is shown: whole minor units, halves to the even one."""

import pytest

from libs.kernel.money import to_message
from services.metrics.resources import money


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        (46.718, "USD", 4672),
        (0.125, "USD", 12),
        (0.375, "USD", 38),
        (2.5, "JPY", 2),
        (3.5, "JPY", 4),
        (0.0625, "BHD", 62),
        (0.0, "EUR", 0),
    ],
)
def test_amounts_are_rounded_half_to_even(amount: float, currency: str, minor: int) -> None:
    """Neither up nor down in the long run, in a currency of two, three or no decimals."""
    assert money(amount, currency) == to_message(minor, currency)
