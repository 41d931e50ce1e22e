"""First half of the demo: who the customers are, what they bought, what they said."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, time
from typing import Any

from equiloop.customers.v1 import service_pb2 as customers
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as feedback

from deploy.demo.cdnow import Purchase
from deploy.demo.gateway import BATCH, Gateway, batches
from deploy.demo.reviews import SOURCE, Sentence
from libs.kernel.money import to_message
from libs.kernel.values import timestamp

SAMPLE, REST = "cdnow-sample", "cdnow-rest"
Advance = Callable[[int], object]


class ImportFailed(Exception):
    """Items of an import were refused; the first of them says why."""


def customer(number: int) -> str:
    """Answer the name of CDNOW's customer ``number``."""
    return f"customers/cdnow-{number:05d}"


async def import_customers(
    gateway: Gateway, numbers: Sequence[int], sample: set[int], advance: Advance
) -> int:
    """Register all customers; answer how many were new."""

    async def requests() -> AsyncIterator[customers.ImportCustomersRequest]:
        for batch in batches(numbers):
            yield customers.ImportCustomersRequest(
                customers=[
                    customers.RegisterCustomerRequest(
                        customer_id=f"cdnow-{number:05d}",
                        cohort=SAMPLE if number in sample else REST,
                        segments=["1997-q1"],
                        source="cdnow",
                        source_id=f"{number:05d}",
                    )
                    for number in batch
                ]
            )
            advance(len(batch))

    call = gateway.customers.ImportCustomersStream(requests())
    return _created(await gateway.send(call))


async def import_purchases(
    gateway: Gateway, purchases: Sequence[Purchase], advance: Advance
) -> int:
    """Record all purchases; answer how many were new."""

    async def requests() -> AsyncIterator[customers.ImportTransactionsRequest]:
        for batch in batches(enumerate(purchases, start=1)):
            yield customers.ImportTransactionsRequest(
                transactions=[
                    customers.TransactionItem(
                        customer=customer(purchase.customer),
                        amount=to_message(purchase.cents, "USD"),
                        purchase_time=timestamp(
                            datetime.combine(purchase.day, time(12), tzinfo=UTC)
                        ),
                        quantity=purchase.quantity,
                        source="cdnow",
                        source_id=f"{row:05d}",
                    )
                    for row, purchase in batch
                ]
            )
            advance(len(batch))

    call = gateway.customers.ImportTransactionsStream(requests())
    return _created(await gateway.send(call))


async def import_feedback(gateway: Gateway, sentences: Sequence[Sentence], advance: Advance) -> int:
    """Record all sentences as feedback; answer how many were new."""

    async def requests() -> AsyncIterator[feedback.ImportFeedbackRequest]:
        for batch in batches(sentences):
            yield feedback.ImportFeedbackRequest(
                feedback=[
                    feedback.RecordFeedbackRequest(
                        customer=customer(sentence.author),
                        channel=events.CHANNEL_REVIEW,
                        language_code="en",
                        text=sentence.text,
                        receive_time=timestamp(sentence.received),
                        source=SOURCE,
                        source_id=sentence.id,
                    )
                    for sentence in batch
                ]
            )
            advance(len(batch))

    call = gateway.feedback.ImportFeedbackStream(requests())
    return _created(await gateway.send(call))


async def heard(gateway: Gateway) -> list[feedback.Feedback]:
    """Answer all sentences as feedback, coded by the default coder, a page at a time."""
    said: list[feedback.Feedback] = []
    request = feedback.ListFeedbackRequest(page_size=BATCH, channel=events.CHANNEL_REVIEW)
    while True:
        page = await gateway.ask(gateway.feedback.ListFeedback, request)
        said += page.feedback
        if not page.next_page_token:
            return said
        request.page_token = page.next_page_token


def _created(response: Any) -> int:
    if response.error_count:
        first = response.errors[0]
        message = f"{response.error_count} items failed, item {first.index}: {first.status.message}"
        raise ImportFailed(message)
    return int(response.created_count)
