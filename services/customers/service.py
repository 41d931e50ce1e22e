"""The gRPC edge of customers: message → command → decide → append → reply."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from equiloop.customers.v1 import service_pb2 as api
from equiloop.customers.v1.service_pb2_grpc import CustomerServiceServicer
from google.protobuf.message import Message

from libs.chassis.call import current
from libs.chassis.edge import change, get
from libs.chassis.importing import Bulk, Outcome, Tally, take_stream
from libs.chassis.paging import Page
from libs.contract.parse import parse
from libs.decider import Aggregate, Decider, Handled, Known, Request
from libs.eventstore.port import EventStore
from libs.kernel.refusals import NotFound, Refusal
from libs.kernel.values import derived_id, id_of
from libs.projection.sqlite import SqliteDatabase
from services.customers import resources
from services.customers.domain import customer, transaction
from services.customers.views import directory, timeline

CUSTOMER = Aggregate("customer", "customers", customer.INITIAL, customer.evolve)
TRANSACTION = Aggregate("transaction", "transactions", transaction.INITIAL, transaction.evolve)


class CustomerService(CustomerServiceServicer):
    """Answers calls; what it knows it asks of the log and of its views."""

    def __init__(self, store: EventStore, decider: Decider, views: SqliteDatabase) -> None:
        """Decide by ``decider``; ask ``views`` what is there and what happened."""
        self._decider, self._views = decider, views
        self._known = Known(store, "customer")
        self._customers = Bulk(decider, CUSTOMER, _customer, customer.decide)
        self._transactions = Bulk(
            decider, TRANSACTION, _transaction, transaction.decide, self._unknown_buyers
        )

    # Customers

    async def RegisterCustomer(self, request: api.RegisterCustomerRequest, _: Any) -> api.Customer:
        """See the contract."""
        call = current().request(request)
        command = parse(customer.RegisterCustomer, request, customer_id=_id(request, call))
        key, decide = command.customer_id, partial(customer.decide, command)
        handled = await self._decider.handle(CUSTOMER, key, decide, call, new=True)
        current().wrote(handled.position)
        self._known.add(key)
        return resources.customer(handled)

    async def UpdateCustomer(self, request: api.UpdateCustomerRequest, _: Any) -> api.Customer:
        """See the contract."""
        command = parse(customer.UpdateCustomer, request)
        handled = await change(self._decider, CUSTOMER, command, customer.decide, request)
        return resources.customer(handled)

    async def GetCustomer(self, request: api.GetCustomerRequest, _: Any) -> api.Customer:
        """See the contract."""
        return resources.customer(await get(self._decider, CUSTOMER, request.name))

    async def ListCustomers(
        self, request: api.ListCustomersRequest, _: Any
    ) -> api.ListCustomersResponse:
        """See the contract."""
        page = Page.of(request)
        with self._views.read() as db:
            found = directory.list_names(
                db,
                after=page.after[0] if page.after else "",
                limit=page.size + 1,
                cohort=request.cohort,
                segment=request.segment,
                customer_manager=request.customer_manager,
            )
        shown = found[: page.size]
        items = [await get(self._decider, CUSTOMER, name) for name in shown]
        more = page.token([shown[-1]]) if len(found) > page.size else ""
        return api.ListCustomersResponse(
            customers=map(resources.customer, items), next_page_token=more
        )

    async def LabelCustomer(self, request: api.LabelCustomerRequest, _: Any) -> api.Customer:
        """See the contract."""
        command = parse(customer.LabelCustomer, request)
        handled = await change(self._decider, CUSTOMER, command, customer.decide, request)
        return resources.customer(handled)

    async def AssignCustomerManager(
        self, request: api.AssignCustomerManagerRequest, _: Any
    ) -> api.Customer:
        """See the contract."""
        command = parse(customer.AssignCustomerManager, request)
        handled = await change(self._decider, CUSTOMER, command, customer.decide, request)
        return resources.customer(handled)

    async def ImportCustomers(
        self, request: api.ImportCustomersRequest, _: Any
    ) -> api.ImportCustomersResponse:
        """See the contract."""
        tally = Tally()
        await tally.take("customers", request.customers, self._register)
        return tally.fill(api.ImportCustomersResponse(), api.ImportError)

    async def ImportCustomersStream(
        self, requests: AsyncIterator[api.ImportCustomersRequest], _: Any
    ) -> api.ImportCustomersResponse:
        """See the contract."""
        tally = Tally()
        await take_stream(tally, "customers", requests, self._register)
        return tally.fill(api.ImportCustomersResponse(), api.ImportError)

    async def _register(self, items: Sequence[Message]) -> Sequence[Outcome]:
        """Import customers and remember them: their purchases come next."""
        outcomes = await self._customers(items)
        for outcome in outcomes:
            if isinstance(outcome, Handled):
                self._known.add(id_of(outcome.state.registered.customer))
        return outcomes

    # Transactions

    async def ImportTransactions(
        self, request: api.ImportTransactionsRequest, _: Any
    ) -> api.ImportTransactionsResponse:
        """See the contract."""
        tally = Tally()
        await tally.take("transactions", request.transactions, self._transactions)
        return tally.fill(api.ImportTransactionsResponse(), api.ImportError)

    async def ImportTransactionsStream(
        self, requests: AsyncIterator[api.ImportTransactionsRequest], _: Any
    ) -> api.ImportTransactionsResponse:
        """See the contract."""
        tally = Tally()
        await take_stream(tally, "transactions", requests, self._transactions)
        return tally.fill(api.ImportTransactionsResponse(), api.ImportError)

    async def _unknown_buyers(
        self, commands: Sequence[transaction.ImportTransaction]
    ) -> list[Refusal | None]:
        unknown = await self._known.missing(id_of(command.customer) for command in commands)
        return [
            NotFound(command.customer, "customer") if id_of(command.customer) in unknown else None
            for command in commands
        ]

    async def GetTransaction(self, request: api.GetTransactionRequest, _: Any) -> api.Transaction:
        """See the contract."""
        return resources.transaction(await get(self._decider, TRANSACTION, request.name))

    async def RecordRefund(self, request: api.RecordRefundRequest, _: Any) -> api.Transaction:
        """See the contract."""
        command = parse(transaction.RecordRefund, request)
        handled = await change(self._decider, TRANSACTION, command, transaction.decide, request)
        return resources.transaction(handled)

    # Questions

    async def GetCustomerTimeline(
        self, request: api.GetCustomerTimelineRequest, _: Any
    ) -> api.GetCustomerTimelineResponse:
        """See the contract."""
        page = Page.of(request)
        after = page.after[0] if page.after else -1
        await get(self._decider, CUSTOMER, request.name)
        response = api.GetCustomerTimelineResponse()
        with self._views.read() as db:
            found = timeline.list_entries(db, request.name, after=after, limit=page.size + 1)
        for entry in found[: page.size]:
            shown = response.entries.add(
                event_type=entry.type,
                resource=entry.resource,
                summary=entry.summary,
                event_id=str(entry.event),
                position=entry.position,
            )
            shown.occur_time.FromMicroseconds(entry.time)
        if len(found) > page.size:
            response.next_page_token = page.token([found[page.size - 1].position])
        return response


def _id(message: api.RegisterCustomerRequest, call: Request) -> str:
    if message.customer_id:
        return message.customer_id
    if message.source and message.source_id:
        return derived_id("customer", message.source, message.source_id)
    return call.derive("customer")


def _customer(
    message: api.RegisterCustomerRequest, call: Request
) -> tuple[str, customer.ImportCustomer]:
    command = parse(
        customer.ImportCustomer, message, customer_id=_id(message, call), request_id=None
    )
    return command.customer_id, command


def _transaction(
    message: api.TransactionItem, _: Request
) -> tuple[str, transaction.ImportTransaction]:
    key = derived_id("transaction", message.source, message.source_id)
    name = f"transactions/{key}"
    return key, parse(transaction.ImportTransaction, message, transaction=name)
