"""What tests do to have something to ask about."""

from datetime import UTC, datetime
from typing import Any

from equiloop.customers.v1 import service_pb2 as api
from equiloop.offers.v1 import service_pb2 as offers_api

from libs.kernel.money import to_message
from libs.kernel.values import derived_id, timestamp
from tests.system.services.processes import Services, unique

BOUGHT = timestamp(datetime(2023, 4, 5, 12, tzinfo=UTC))


def register(services: Services, **fields: Any) -> api.Customer:
    request = api.RegisterCustomerRequest(**{"customer_id": unique("c"), **fields})
    return services.customers.RegisterCustomer(request)


def item(customer: str, source: str, number: int, cents: int = 1250) -> api.TransactionItem:
    return api.TransactionItem(
        customer=customer,
        amount=to_message(cents, "USD"),
        purchase_time=BOUGHT,
        quantity=1,
        source=source,
        source_id=str(number),
    )


def buy(services: Services, cents: int = 2000) -> api.Transaction:
    """A purchase of a new customer."""
    source = unique("till")
    items = [item(register(services).name, source, 1, cents)]
    answer = services.customers.ImportTransactions(
        api.ImportTransactionsRequest(transactions=items)
    )
    assert answer.created_count == 1
    name = f"transactions/{derived_id('transaction', source, '1')}"
    return services.customers.GetTransaction(api.GetTransactionRequest(name=name))


def dump(message: Any) -> bytes:
    return bytes(message.SerializeToString(deterministic=True))


def label(services: Services, name: str, **fields: Any) -> api.Customer:
    return services.customers.LabelCustomer(api.LabelCustomerRequest(name=name, **fields))


def launched(services: Services) -> offers_api.Offer:
    """An offer that may be presented."""
    offer = services.offers.DraftOffer(offers_api.DraftOfferRequest(title="Oil"))
    approve = offers_api.ApproveOfferRequest(name=offer.name, customer_manager="managers/maria")
    services.offers.ApproveOffer(approve)
    return services.offers.LaunchOffer(offers_api.LaunchOfferRequest(name=offer.name))
