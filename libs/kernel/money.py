"""Money: an amount in integer minor units of an ISO 4217 currency, so that sums are exact."""

from decimal import Decimal
from typing import Annotated, Any

from google.type.money_pb2 import Money as MoneyMessage
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

# ISO 4217 (2024): currencies in circulation; two decimals unless named below.
_TWO = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD
CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA
MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR
RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD
TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"""
_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"

EXPONENTS: dict[str, int] = {
    code: digits
    for codes, digits in ((_TWO, 2), (_NONE, 0), (_THREE, 3), (_FOUR, 4))
    for code in codes.split()
}
"""Digits after the decimal point, by currency."""

_NANOS = 1_000_000_000
MAX_MINOR = (1 << 63) - 1
"""Largest amount, in minor units: what a 64-bit column holds."""


def currency(code: str) -> str:
    """Answer ``code`` if it is a currency; raise ValueError otherwise."""
    if code not in EXPONENTS:
        message = f"{code!r} is not an ISO 4217 currency code" if code else "currency is missing"
        raise ValueError(message)
    return code


class Money(BaseModel):
    """An exact amount: ``minor`` units (cents for EUR) of ``currency_code``."""

    model_config = ConfigDict(frozen=True)

    currency_code: Annotated[str, AfterValidator(currency)]
    minor: Annotated[int, Field(ge=-MAX_MINOR, le=MAX_MINOR)]

    @model_validator(mode="before")
    @classmethod
    def _from_message(cls, value: Any) -> Any:
        if not isinstance(value, MoneyMessage):
            return value
        exponent = EXPONENTS[currency(value.currency_code)]
        if (value.units > 0 > value.nanos) or (value.units < 0 < value.nanos):
            msg = "units and nanos must have the same sign"
            raise ValueError(msg)
        if abs(value.nanos) >= _NANOS:
            msg = "nanos must be between -999,999,999 and 999,999,999"
            raise ValueError(msg)
        step = _NANOS // 10**exponent
        if value.nanos % step:
            msg = f"{value.currency_code} has {exponent} decimals; the amount has more"
            raise ValueError(msg)
        minor = value.units * 10**exponent + value.nanos // step
        if abs(minor) > MAX_MINOR:
            msg = "the amount is too large"
            raise ValueError(msg)
        return {"currency_code": value.currency_code, "minor": minor}

    def message(self) -> MoneyMessage:
        """Answer the amount as the contract writes it."""
        return to_message(self.minor, self.currency_code)


def _not_negative(amount: Money) -> Money:
    if amount.minor < 0:
        msg = "must not be negative"
        raise ValueError(msg)
    return amount


NotNegative = Annotated[Money, AfterValidator(_not_negative)]
"""An amount of zero or more."""


def to_message(minor: int, currency_code: str) -> MoneyMessage:
    """Answer ``minor`` units as google.type.Money."""
    scale = 10 ** EXPONENTS[currency_code]
    units, rest = divmod(abs(minor), scale)
    sign = -1 if minor < 0 else 1
    return MoneyMessage(
        currency_code=currency_code, units=sign * units, nanos=sign * rest * (_NANOS // scale)
    )


def to_minor(message: MoneyMessage) -> int:
    """Answer an amount that was validated before as minor units, exactly."""
    exponent = EXPONENTS[message.currency_code]
    return int(message.units * 10**exponent + message.nanos // (_NANOS // 10**exponent))


def to_text(minor: int, currency_code: str) -> str:
    """Answer ``minor`` units as people read them: `12.50 USD`."""
    return f"{Decimal(minor).scaleb(-EXPONENTS[currency_code]):f} {currency_code}"
