"""Lifetime value under a constant retention rate: three right answers to three questions.

Textbooks print all three as "the" formula. They differ in whether the first payment is still to
come, and when; so a caller names the case. Whoever buys again is not thereby retained: a
repeat-buying rate does not belong in here.
"""

from enum import Enum


class RetentionCase(Enum):
    """Whose value is asked for, and when the money of a period comes in."""

    NEW_CUSTOMER_PAID_AT_START = "new customer, paid at the start of each period"
    """The first payment is made now, for certain: m (1+d) / (1+d-r)."""

    NEW_CUSTOMER_PAID_AT_END = "new customer, paid at the end of each period"
    """The first payment comes, for certain, in one period: m / (1+d-r)."""

    EXISTING_CUSTOMER = "existing customer"
    """This period is paid; the next payment comes in one period, if retained: m r / (1+d-r)."""


def lifetime_value(
    case: RetentionCase, *, margin: float, retention: float, discount: float
) -> float:
    """Expected discounted margin over an unlimited future.

    Args:
        case: which of the three questions.
        margin: m, per period and customer.
        retention: r, the share that stays from one period to the next, 0 <= r <= 1.
        discount: d, per period, > 0.

    Raises:
        ValueError: retention or discount out of range.
    """
    if not 0.0 <= retention <= 1.0:
        raise ValueError(f"retention must lie between 0 and 1, not {retention}")
    if not discount > 0.0:
        raise ValueError(f"discount must be positive, not {discount}")
    per_payment = margin / (1.0 + discount - retention)
    match case:
        case RetentionCase.NEW_CUSTOMER_PAID_AT_START:
            return per_payment * (1.0 + discount)
        case RetentionCase.NEW_CUSTOMER_PAID_AT_END:
            return per_payment
        case RetentionCase.EXISTING_CUSTOMER:
            return per_payment * retention
