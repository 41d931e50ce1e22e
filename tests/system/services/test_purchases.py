"""Imports, purchases and refunds as callers of the customers service meet them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest
from equiloop.customers.v1 import service_pb2 as api

from libs.kernel.money import to_message
from tests.system.services.acts import buy, dump, item, register
from tests.system.services.processes import (
    Refused,
    Services,
    item_refused,
    position,
    refused,
    unique,
)

NOT_FOUND = grpc.StatusCode.NOT_FOUND
INVALID = grpc.StatusCode.INVALID_ARGUMENT


# Importing


def test_customers_are_imported_item_by_item(services: Services) -> None:
    """What is well goes in, what is not is told by index; a re-run changes nothing."""
    source = unique("crm")
    items = [
        api.RegisterCustomerRequest(source=source, source_id="1"),
        api.RegisterCustomerRequest(source=source),
        api.RegisterCustomerRequest(source=source, source_id="2", cohort="Q 1"),
        api.RegisterCustomerRequest(source=source, source_id="1", cohort="other"),
        api.RegisterCustomerRequest(source=source, source_id="1"),
        api.RegisterCustomerRequest(source=source, source_id="3"),
    ]
    request = api.ImportCustomersRequest(customers=items)
    first, again = (services.customers.ImportCustomers(request) for _ in range(2))
    counts = (first.created_count, first.unchanged_count, first.error_count)
    assert counts == (2, 1, 3)
    assert (again.created_count, again.unchanged_count, again.error_count) == (0, 3, 3)
    assert [dump(each) for each in again.errors] == [dump(each) for each in first.errors]
    how = {error.index: item_refused(error.status) for error in first.errors}
    assert how.keys() == {1, 2, 3}
    assert how[1].fields.keys() == {"source_id"}
    assert how[2].fields.keys() == {"cohort"}
    assert how[3].code == grpc.StatusCode.ALREADY_EXISTS


def test_a_stream_of_customers_is_answered_once(services: Services) -> None:
    """Indexes are counted over all batches, and the position is that of the last event."""
    source = unique("crm")

    def batches() -> Iterator[api.ImportCustomersRequest]:
        for start in (0, 3):
            yield api.ImportCustomersRequest(
                customers=[
                    api.RegisterCustomerRequest(
                        source=source,
                        source_id=str(number),
                        cohort=source,
                        email="x" * 300 if number == 4 else "",
                    )
                    for number in range(start, start + 3)
                ]
            )

    answer, call = services.customers.ImportCustomersStream.with_call(batches())
    assert (answer.created_count, answer.error_count) == (5, 1)
    assert [error.index for error in answer.errors] == [4]
    asked = api.ListCustomersRequest(cohort=source)
    listed = services.customers.ListCustomers(asked, metadata=position(call))
    assert len(listed.customers) == 5
    again = services.customers.ImportCustomersStream(batches())
    assert (again.created_count, again.unchanged_count, again.error_count) == (0, 5, 1)


def test_purchases_are_imported_item_by_item(services: Services) -> None:
    """Each purchase stands alone: one that cannot be is told by index, with its reason."""
    name, source = register(services).name, unique("till")
    nobody = "customers/" + unique("nobody")
    items = [
        item(name, source, 0),
        item(nobody, source, 1),
        item(name, source, 2, cents=-1),
        item(name, source, 0, cents=999),
        item(name, source, 4),
        item(name, source, 5),
    ]
    items[4].amount.currency_code = "EURO"
    items[5].purchase_time.FromDatetime(datetime.now(UTC) + timedelta(days=2))
    request = api.ImportTransactionsRequest(transactions=items)
    first, again = (services.customers.ImportTransactions(request) for _ in range(2))
    assert (first.created_count, first.unchanged_count, first.error_count) == (1, 0, 5)
    assert (again.created_count, again.unchanged_count, again.error_count) == (0, 1, 5)
    how = {error.index: item_refused(error.status) for error in first.errors}
    assert how[1] == Refused(NOT_FOUND, "NOT_FOUND", {"resource": nobody, "field": "customer"})
    assert how[2].fields == {"amount": "must not be negative"}
    assert (how[3].code, how[3].reason) == (
        grpc.StatusCode.ALREADY_EXISTS,
        "SOURCE_ID_REUSED",
    )
    assert "EURO" in how[4].fields["amount"]
    assert how[5].fields == {"purchase_time": "must not be in the future"}


def test_a_stream_of_purchases_again_changes_nothing(services: Services) -> None:
    """A re-run of an import finds every purchase, and adds nothing to the log."""
    name, source = register(services).name, unique("till")

    def batches() -> Iterator[api.ImportTransactionsRequest]:
        for start in range(0, 600, 200):
            numbers = range(start, start + 200)
            yield api.ImportTransactionsRequest(
                transactions=[item(name, source, number) for number in numbers]
            )

    first, call = services.customers.ImportTransactionsStream.with_call(batches())
    assert (first.created_count, first.unchanged_count, first.error_count) == (600, 0, 0)
    again, call_again = services.customers.ImportTransactionsStream.with_call(batches())
    assert (again.created_count, again.unchanged_count, again.error_count) == (0, 600, 0)
    assert position(call_again) == position(call)


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_has_bounds(services: Services, count: int) -> None:
    """An empty batch and one of more than 1,000 items are refused as a whole."""
    name, source = register(services).name, unique("till")
    items = [item(name, source, number) for number in range(count)]
    request = api.ImportTransactionsRequest(transactions=items)
    for call in (
        lambda: services.customers.ImportTransactions(request),
        lambda: services.customers.ImportTransactionsStream(iter([request])),
    ):
        how = refused(call)
        assert (how.code, list(how.fields)) == (INVALID, ["transactions"])


# Refunding


def test_a_refund_is_kept_with_its_transaction(services: Services) -> None:
    """What went back is summed up; the last cent can be given back, and no more."""
    bought = buy(services, 2000)
    assert bought.refunded_amount == to_message(0, "USD")
    assert (bought.etag, bought.quantity, bought.amount) == ("0", 1, to_message(2000, "USD"))

    def refund(cents: int, **more: Any) -> api.Transaction:
        request = api.RecordRefundRequest(
            name=bought.name, amount=to_message(cents, "USD"), reason="broken", **more
        )
        return services.customers.RecordRefund(request)

    request_id = str(uuid4())
    first = refund(1500, etag="0", request_id=request_id)
    assert (first.refunded_amount, first.etag) == (to_message(1500, "USD"), "1")
    assert refund(1500, etag="0", request_id=request_id) == first
    how = refused(lambda: refund(501))
    assert (how.code, how.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "REFUND_EXCEEDS_PAYMENT",
    )
    assert how.figures == {
        "transaction": bought.name,
        "paid": "20.00 USD",
        "refunded": "15.00 USD",
        "refund": "5.01 USD",
    }
    assert refused(lambda: refund(1, etag="0")).code == grpc.StatusCode.ABORTED
    assert refund(500, etag="1").refunded_amount == to_message(2000, "USD")
    got = services.customers.GetTransaction(api.GetTransactionRequest(name=bought.name))
    assert (got.refunded_amount, got.etag) == (to_message(2000, "USD"), "2")


def test_every_wrong_field_of_a_refund_is_named(services: Services) -> None:
    """Nothing, for no reason, of no transaction: each is named at once."""
    request = api.RecordRefundRequest(name="1", amount=to_message(0, "USD"), etag="new")
    how = refused(lambda: services.customers.RecordRefund(request))
    assert how.code == INVALID
    assert how.fields.keys() == {"name", "amount", "reason", "etag"}


@pytest.mark.parametrize("name", ["transactions/none", "customers/none", "", "transactions/"])
def test_what_is_not_there_is_not_found(services: Services, name: str) -> None:
    """An unknown name, one of another collection, and none at all are NOT_FOUND."""
    ask = services.customers.GetTransaction
    how = refused(lambda: ask(api.GetTransactionRequest(name=name)))
    assert how == Refused(NOT_FOUND, "NOT_FOUND", {"resource": name})
