"""Relations: who our customers are, what they are labelled, and who answers for them."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from equiloop.customers.v1 import service_pb2 as api
from google.protobuf.message import Message

from libs.chassis.call import current
from libs.chassis.edge import change, get
from libs.chassis.importing import Bulk, Outcome, Tally, take_stream
from libs.chassis.paging import Page
from libs.contract.parse import parse
from libs.decider import Handled, Request
from libs.kernel.values import derived_id, id_of
from services.customers import resources
from services.customers.domain import customer
from services.customers.service.means import CUSTOMER, Means, Part
from services.customers.views import directory


class Relations(Part):
    """The part of CustomerService that knows customers."""

    def __init__(self, means: Means) -> None:
        """Answer by these ``means``."""
        super().__init__(means)
        self._import = Bulk(means.decider, CUSTOMER, _customer, customer.decide)

    async def RegisterCustomer(self, request: api.RegisterCustomerRequest, _: Any) -> api.Customer:
        """See the contract."""
        call = current().request(request)
        command = parse(customer.RegisterCustomer, request, customer_id=_id(request, call))
        key, decide = command.customer_id, partial(customer.decide, command)
        handled = await self.means.decider.handle(CUSTOMER, key, decide, call, new=True)
        current().wrote(handled.position)
        self.means.customers.add(key)
        return resources.customer(handled)

    async def UpdateCustomer(self, request: api.UpdateCustomerRequest, _: Any) -> api.Customer:
        """See the contract."""
        command = parse(customer.UpdateCustomer, request)
        handled = await change(self.means.decider, CUSTOMER, command, customer.decide, request)
        return resources.customer(handled)

    async def GetCustomer(self, request: api.GetCustomerRequest, _: Any) -> api.Customer:
        """See the contract."""
        return resources.customer(await get(self.means.decider, CUSTOMER, request.name))

    async def ListCustomers(
        self, request: api.ListCustomersRequest, _: Any
    ) -> api.ListCustomersResponse:
        """See the contract."""
        page = Page.of(request)
        with self.means.views.read() as db:
            found = directory.list_names(
                db,
                after=page.after[0] if page.after else "",
                limit=page.size + 1,
                cohort=request.cohort,
                segment=request.segment,
                customer_manager=request.customer_manager,
            )
        shown = found[: page.size]
        items = [await get(self.means.decider, CUSTOMER, name) for name in shown]
        more = page.token([shown[-1]]) if len(found) > page.size else ""
        return api.ListCustomersResponse(
            customers=map(resources.customer, items), next_page_token=more
        )

    async def LabelCustomer(self, request: api.LabelCustomerRequest, _: Any) -> api.Customer:
        """See the contract."""
        command = parse(customer.LabelCustomer, request)
        handled = await change(self.means.decider, CUSTOMER, command, customer.decide, request)
        return resources.customer(handled)

    async def AssignCustomerManager(
        self, request: api.AssignCustomerManagerRequest, _: Any
    ) -> api.Customer:
        """See the contract."""
        command = parse(customer.AssignCustomerManager, request)
        handled = await change(self.means.decider, CUSTOMER, command, customer.decide, request)
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
        outcomes = await self._import(items)
        for outcome in outcomes:
            if isinstance(outcome, Handled):
                self.means.customers.add(id_of(outcome.state.registered.customer))
        return outcomes


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
