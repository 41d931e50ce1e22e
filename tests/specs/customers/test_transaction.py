"""What may become of a transaction."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from equiloop.customers.v1 import events_pb2 as events
from equiloop.customers.v1 import service_pb2 as api
from google.type.money_pb2 import Money as MoneyMessage
from hypothesis import given as whatever
from hypothesis import strategies as st

from libs.contract.parse import parse
from libs.kernel.money import Money, to_message
from libs.kernel.refusals import AlreadyExists, Invalid, NotFound, Refusal
from libs.kernel.times import AHEAD
from libs.kernel.values import timestamp
from services.customers.domain.transaction import ImportTransaction, RecordRefund, decide
from services.customers.service.means import TRANSACTION
from tests.specs.given import NOW, given

ONE = "transactions/1"
BOUGHT = NOW - timedelta(days=10)


def dollars(cents: int) -> Money:
    return Money(currency_code="USD", minor=cents)


def purchase(**other: Any) -> ImportTransaction:
    content: dict[str, Any] = {
        "transaction": ONE,
        "customer": "customers/anna",
        "amount": dollars(2000),
        "purchase_time": BOUGHT,
        "quantity": 2,
        "source": "till",
        "source_id": "1",
    }
    return ImportTransaction(**content | other)


def recorded(cents: int = 2000, bought: datetime = BOUGHT) -> events.TransactionRecorded:
    return events.TransactionRecorded(
        event_time=timestamp(NOW),
        transaction=ONE,
        customer="customers/anna",
        amount=to_message(cents, "USD"),
        purchase_time=timestamp(bought),
        quantity=2,
        source="till",
        source_id="1",
    )


def refund(cents: int, time: datetime | None = None) -> RecordRefund:
    return RecordRefund(name=ONE, amount=dollars(cents), refund_time=time, reason="broken")


def refunded(cents: int, time: datetime = NOW) -> events.TransactionRefunded:
    return events.TransactionRefunded(
        event_time=timestamp(NOW),
        transaction=ONE,
        customer="customers/anna",
        amount=to_message(cents, "USD"),
        refund_time=timestamp(time),
        reason="broken",
    )


def wrong_fields(model: type[Any], message: Any, **more: str) -> set[str]:
    with pytest.raises(Invalid) as caught:
        parse(model, message, **more)
    return {violation.field for violation in caught.value.violations}


def test_a_purchase_is_recorded_as_it_was() -> None:
    """Amount, time and source are kept as the other system said them."""
    given(TRANSACTION).when(decide, purchase()).then(recorded())


def test_a_free_item_is_a_purchase() -> None:
    """Nothing paid, quantity not said: still a purchase."""
    content = purchase(amount=dollars(0)).model_dump(exclude={"quantity"})
    command = ImportTransaction.model_validate(content)
    expected = recorded(0)
    expected.quantity = 0
    given(TRANSACTION).when(decide, command).then(expected)


def test_the_same_purchase_again_changes_nothing() -> None:
    """A re-run of an import finds its transaction, refunded since or not."""
    later = NOW + timedelta(days=9)
    given(TRANSACTION, recorded()).when(decide, purchase(), now=later).then()
    given(TRANSACTION, recorded(), refunded(5)).when(decide, purchase(), now=later).then()


@pytest.mark.parametrize(
    "other",
    [
        {"amount": dollars(1999)},
        {"amount": Money(currency_code="EUR", minor=2000)},
        {"customer": "customers/otto"},
        {"purchase_time": BOUGHT + timedelta(microseconds=1)},
        {"quantity": 1},
    ],
    ids=["amount", "currency", "customer", "time", "quantity"],
)
def test_a_source_id_stands_for_one_content(other: dict[str, Any]) -> None:
    """The same source and source_id with anything else is refused."""
    outcome = given(TRANSACTION, recorded()).when(decide, purchase(**other))
    outcome.refused(AlreadyExists, "SOURCE_ID_REUSED", transaction=ONE)


def test_nobody_buys_in_the_future() -> None:
    """A day ahead passes for clocks and time zones; any more is refused."""
    ahead = NOW + AHEAD
    given(TRANSACTION).when(decide, purchase(purchase_time=ahead)).then(recorded(bought=ahead))
    command = purchase(purchase_time=ahead + timedelta(microseconds=1))
    given(TRANSACTION).when(decide, command).refused(Invalid)


def test_money_goes_back_in_parts_up_to_what_was_paid() -> None:
    """Refunds add up: the last cent is given back, one more is refused with the figures."""
    happened = recorded(2000), refunded(1500)
    given(TRANSACTION, *happened).when(decide, refund(500)).then(refunded(500))
    given(TRANSACTION, *happened).when(decide, refund(501)).refused(
        Refusal,
        "REFUND_EXCEEDS_PAYMENT",
        transaction=ONE,
        paid="20.00 USD",
        refunded="15.00 USD",
        refund="5.01 USD",
    )


@whatever(st.integers(0, 10**9), st.lists(st.integers(1, 10**9), max_size=8))
def test_never_more_goes_back_than_was_paid(paid: int, wishes: list[int]) -> None:
    """Whatever is asked for in whichever order, the refunds that are granted fit the payment."""
    state, left = given(TRANSACTION, recorded(paid)).state, paid
    for cents in wishes:
        try:
            (event,) = decide(refund(cents), state, NOW)
        except Refusal:
            assert cents > left
            continue
        state, left = TRANSACTION.evolve(state, event), left - cents
    assert left >= 0
    assert state.refunded == paid - left


def test_money_goes_back_in_the_currency_it_came_in() -> None:
    """Another currency is refused, however little."""
    command = RecordRefund(name=ONE, amount=Money(currency_code="EUR", minor=1), reason="broken")
    outcome = given(TRANSACTION, recorded()).when(decide, command)
    outcome.refused(Refusal, "CURRENCY_MISMATCH", transaction=ONE, currency="USD")


def test_money_goes_back_after_it_came() -> None:
    """A refund lies neither before its purchase nor in the future."""
    bought = given(TRANSACTION, recorded())
    bought.when(decide, refund(1, BOUGHT)).then(refunded(1, BOUGHT))
    before = BOUGHT - timedelta(microseconds=1)
    bought.when(decide, refund(1, before)).refused(Refusal, "REFUND_BEFORE_PURCHASE")
    ahead = NOW + AHEAD
    bought.when(decide, refund(1, ahead)).then(refunded(1, ahead))
    bought.when(decide, refund(1, ahead + timedelta(seconds=1))).refused(Invalid)


def test_a_refund_of_a_purchase_ahead_of_our_clock_is_not_before_it() -> None:
    """Without a time of its own the refund is now, or with the purchase where that is later."""
    ahead = NOW + timedelta(hours=2)
    bought = given(TRANSACTION, recorded(bought=ahead))
    bought.when(decide, refund(1)).then(refunded(1, ahead))


def test_the_last_change_is_known() -> None:
    """A refund moves the time of the last change."""
    later = refunded(1)
    later.event_time.CopyFrom(timestamp(NOW + timedelta(days=1)))
    assert given(TRANSACTION, recorded()).state.changed == timestamp(NOW)
    assert given(TRANSACTION, recorded(), later).state.changed == later.event_time


def test_only_a_transaction_can_be_refunded() -> None:
    """A refund of what was never bought finds nothing."""
    given(TRANSACTION).when(decide, refund(1)).refused(NotFound, resource=ONE)


@pytest.mark.parametrize(
    ("amount", "why"),
    [
        (MoneyMessage(currency_code="USD", units=-1), "negative"),
        (MoneyMessage(currency_code="USD", nanos=-10_000_000), "negative"),
        (MoneyMessage(currency_code="XXX", units=1), "ISO 4217"),
        (MoneyMessage(units=1), "currency is missing"),
        (MoneyMessage(currency_code="USD", units=1, nanos=5), "2 decimals"),
        (MoneyMessage(currency_code="JPY", units=1, nanos=500_000_000), "0 decimals"),
        (MoneyMessage(currency_code="USD", units=1, nanos=-10_000_000), "same sign"),
        (MoneyMessage(currency_code="USD", units=1 << 62), "too large"),
    ],
    ids=str,
)
def test_an_amount_must_be_money(amount: MoneyMessage, why: str) -> None:
    """Negative, of no currency, or finer than the currency's unit: refused, saying why."""
    message = api.TransactionItem(amount=amount)
    with pytest.raises(Invalid, match=f"amount: [^;]*{why}"):
        parse(ImportTransaction, message, transaction=ONE)


def test_every_wrong_field_of_a_purchase_is_named() -> None:
    """All violations come at once, each with its path."""
    message = api.TransactionItem(customer="anna", quantity=-1)
    message.amount.units = 1
    message.purchase_time.seconds = 1 << 60
    assert wrong_fields(ImportTransaction, message, transaction=ONE) == {
        "customer",
        "amount",
        "purchase_time",
        "quantity",
        "source",
        "source_id",
    }


def test_every_wrong_field_of_a_refund_is_named() -> None:
    """A refund of nothing, without a reason, of no transaction: each is named."""
    message = api.RecordRefundRequest(name="1", amount=to_message(0, "USD"), reason=" ", etag="x")
    assert wrong_fields(RecordRefund, message) == {"name", "amount", "reason", "etag"}


def test_a_reason_has_a_thousand_characters_at_most() -> None:
    """One character more is refused."""
    message = api.RecordRefundRequest(name=ONE, amount=to_message(1, "USD"), reason="x" * 1000)
    assert parse(RecordRefund, message).reason == message.reason
    message.reason += "x"
    assert wrong_fields(RecordRefund, message) == {"reason"}
