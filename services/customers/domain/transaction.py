"""One transaction: what a customer paid once, and what went back of it since."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from equiloop.customers.v1 import events_pb2 as events
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import AfterValidator, Field

from libs.kernel.money import Money, NotNegative, to_minor, to_text
from libs.kernel.refusals import AlreadyExists, NotFound, Refusal
from libs.kernel.times import not_ahead
from libs.kernel.values import (
    Command,
    CustomerName,
    Etag,
    Instant,
    Source,
    Words,
    instant,
    resource,
    timestamp,
)


def _positive(amount: Money) -> Money:
    if amount.minor <= 0:
        msg = "must be more than zero"
        raise ValueError(msg)
    return amount


class ImportTransaction(Command):
    """A customer bought something, says another system."""

    transaction: Annotated[str, resource("transactions")]
    customer: CustomerName
    amount: NotNegative
    purchase_time: Instant
    quantity: Annotated[int, Field(ge=0)] = 0
    source: Source
    source_id: Source


class RecordRefund(Command):
    """Money goes back to the customer, and if ``etag`` is given only as things were then."""

    name: Annotated[str, resource("transactions")]
    etag: Etag | None = None
    amount: Annotated[Money, AfterValidator(_positive)]
    refund_time: Instant | None = None
    reason: Annotated[Words, Field(max_length=1000)]


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction as it now is; ``recorded`` is None until it was, ``refunded`` minor units."""

    recorded: events.TransactionRecorded | None = None
    refunded: int = 0
    changed: Timestamp | None = None


INITIAL = Transaction()


def decide(
    command: ImportTransaction | RecordRefund, state: Transaction, now: datetime
) -> Sequence[Message]:
    """Answer what follows from ``command``."""
    match command:
        case ImportTransaction():
            return _import(command, state, now)
        case RecordRefund():
            return _refund(command, state, now)


def _import(command: ImportTransaction, state: Transaction, now: datetime) -> Sequence[Message]:
    if state.recorded is None:
        not_ahead("purchase_time", command.purchase_time, now)
        return [_recorded(command, now)]
    if _recorded(command, state.recorded.event_time.ToDatetime()) == state.recorded:
        return []
    message = f"{command.source!r} has sent {command.source_id!r} before, with other content"
    raise AlreadyExists("SOURCE_ID_REUSED", message, transaction=command.transaction)


def _recorded(command: ImportTransaction, at: datetime) -> events.TransactionRecorded:
    return events.TransactionRecorded(
        event_time=timestamp(at),
        transaction=command.transaction,
        customer=command.customer,
        amount=command.amount.message(),
        purchase_time=timestamp(command.purchase_time),
        quantity=command.quantity,
        source=command.source,
        source_id=command.source_id,
    )


def _refund(command: RecordRefund, state: Transaction, now: datetime) -> Sequence[Message]:
    bought = state.recorded
    if bought is None:
        raise NotFound(command.name)
    purchase_time = instant(bought.purchase_time)
    refund_time = command.refund_time or max(now, purchase_time)
    not_ahead("refund_time", refund_time, now)
    if refund_time < purchase_time:
        message = f"{command.name!r} was bought at {purchase_time}, after {refund_time}"
        raise Refusal("REFUND_BEFORE_PURCHASE", message, transaction=command.name)
    _payment_covers(command, bought, state.refunded)
    return [
        events.TransactionRefunded(
            event_time=timestamp(now),
            transaction=command.name,
            customer=bought.customer,
            amount=command.amount.message(),
            refund_time=timestamp(refund_time),
            reason=command.reason,
        )
    ]


def _payment_covers(
    command: RecordRefund, bought: events.TransactionRecorded, refunded: int
) -> None:
    """Refuse money in another currency, or more than is left of what was paid."""
    currency, paid = bought.amount.currency_code, to_minor(bought.amount)
    if command.amount.currency_code != currency:
        message = f"{command.name!r} was paid in {currency}, not in {command.amount.currency_code}"
        raise Refusal("CURRENCY_MISMATCH", message, transaction=command.name, currency=currency)
    if refunded + command.amount.minor > paid:
        figures = {
            "paid": to_text(paid, currency),
            "refunded": to_text(refunded, currency),
            "refund": to_text(command.amount.minor, currency),
        }
        message = (
            "a refund of {refund} is more than is left: {paid} was paid, {refunded} went back"
        ).format(**figures)
        raise Refusal("REFUND_EXCEEDS_PAYMENT", message, transaction=command.name, **figures)


def evolve(state: Transaction, event: Message) -> Transaction:
    """Answer ``state`` after ``event``."""
    match event:
        case events.TransactionRecorded():
            return Transaction(event, changed=event.event_time)
        case events.TransactionRefunded():
            refunded = state.refunded + to_minor(event.amount)
            return replace(state, refunded=refunded, changed=event.event_time)
    return state
