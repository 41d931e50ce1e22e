"""Money: exact in minor units, whatever the currency; nothing is rounded, nothing overflows."""

import pytest
from google.type.money_pb2 import Money as MoneyMessage
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from libs.kernel.money import EXPONENTS, MAX_MINOR, Money, to_message, to_minor, to_text

currencies = st.sampled_from(sorted(EXPONENTS))
amounts = st.integers(-MAX_MINOR, MAX_MINOR)
coarse = st.integers(-99, 99).map(lambda cents: cents * 10_000_000)
nanos = st.one_of(coarse, st.integers(-999_999_999, 999_999_999))


def message(code: str, units: int, nanos: int = 0) -> MoneyMessage:
    return MoneyMessage(currency_code=code, units=units, nanos=nanos)


@pytest.mark.parametrize(
    ("given", "minor", "text"),
    [
        (message("EUR", 12, 340_000_000), 1234, "12.34 EUR"),
        (message("EUR", 0, 10_000_000), 1, "0.01 EUR"),
        (message("EUR", -12, -340_000_000), -1234, "-12.34 EUR"),
        (message("EUR", 0, -10_000_000), -1, "-0.01 EUR"),
        (message("JPY", 500), 500, "500 JPY"),
        (message("KWD", 1, 5_000_000), 1005, "1.005 KWD"),
        (message("CLF", 1, 100_000), 10_001, "1.0001 CLF"),
        (message("USD", 0), 0, "0.00 USD"),
    ],
)
def test_an_amount_is_counted_in_minor_units(given: MoneyMessage, minor: int, text: str) -> None:
    """Currencies with no, two, three and four decimals count in their own smallest unit."""
    money = Money.model_validate(given)
    assert (money.minor, money.message()) == (minor, given)
    assert to_minor(given) == minor
    assert to_text(minor, given.currency_code) == text


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (message("", 1), "currency is missing"),
        (message("usd", 1), "not an ISO 4217"),
        (message("XXX", 1), "not an ISO 4217"),
        (message("EUR", 1, -1), "same sign"),
        (message("EUR", -1, 10_000_000), "same sign"),
        (message("EUR", 0, 1_000_000_000), "between"),
        (message("EUR", 0, -1_000_000_000), "between"),
        (message("EUR", 1, 5_000_000), "2 decimals"),
        (message("EUR", -1, -1), "2 decimals"),
        (message("JPY", 1, 500_000_000), "0 decimals"),
        (message("KWD", 1, 100_000), "3 decimals"),
        (message("CLF", 1, 10_000), "4 decimals"),
        (message("EUR", MAX_MINOR), "too large"),
        (message("EUR", -MAX_MINOR), "too large"),
        (message("JPY", -MAX_MINOR - 1), "too large"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_what_is_no_amount_is_refused(wrong: MoneyMessage, why: str) -> None:
    """Unknown currencies, mixed signs, parts of a minor unit and overflow are each named."""
    with pytest.raises(ValidationError, match=why):
        Money.model_validate(wrong)


@pytest.mark.parametrize(
    ("code", "minor"), [("XXX", 1), ("EUR", MAX_MINOR + 1), ("EUR", -MAX_MINOR - 1)]
)
def test_money_is_valid_however_it_is_made(code: str, minor: int) -> None:
    """An amount made in code is held to the same rules as one that came in a message."""
    with pytest.raises(ValidationError):
        Money(currency_code=code, minor=minor)


@given(currencies, amounts)
def test_there_and_back_nothing_is_lost(code: str, minor: int) -> None:
    """Every amount of every currency comes back from a message as it went."""
    sent = to_message(minor, code)
    assert Money.model_validate(sent) == Money(currency_code=code, minor=minor)
    assert to_minor(MoneyMessage.FromString(sent.SerializeToString())) == minor


@given(currencies, st.integers(-(10**12), 10**12), nanos)
def test_nothing_is_rounded(code: str, units: int, nanos: int) -> None:
    """A message is either refused or answered back as it was, to the last nano."""
    asked = message(code, units, nanos)
    try:
        money = Money.model_validate(asked)
    except ValidationError:
        return
    assert money.message() == asked
