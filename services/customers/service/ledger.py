"""The ledger: what customers bought, and what went back of it."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from equiloop.customers.v1 import service_pb2 as api

from libs.chassis.edge import change, get
from libs.chassis.importing import Bulk, Tally, take_stream
from libs.contract.parse import parse
from libs.decider import Request
from libs.kernel.refusals import NotFound, Refusal
from libs.kernel.values import derived_id, id_of
from services.customers import resources
from services.customers.domain import transaction
from services.customers.service.means import TRANSACTION, Means, Part


class Ledger(Part):
    """The part of CustomerService that keeps accounts."""

    def __init__(self, means: Means) -> None:
        """Answer by these ``means``."""
        super().__init__(means)
        self._transactions = Bulk(
            means.decider, TRANSACTION, _transaction, transaction.decide, self._unknown_buyers
        )

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
        unknown = await self.means.customers.missing(
            id_of(command.customer) for command in commands
        )
        return [
            NotFound(command.customer, "customer") if id_of(command.customer) in unknown else None
            for command in commands
        ]

    async def GetTransaction(self, request: api.GetTransactionRequest, _: Any) -> api.Transaction:
        """See the contract."""
        return resources.transaction(await get(self.means.decider, TRANSACTION, request.name))

    async def RecordRefund(self, request: api.RecordRefundRequest, _: Any) -> api.Transaction:
        """See the contract."""
        command = parse(transaction.RecordRefund, request)
        handled = await change(
            self.means.decider, TRANSACTION, command, transaction.decide, request
        )
        return resources.transaction(handled)


def _transaction(
    message: api.TransactionItem, _: Request
) -> tuple[str, transaction.ImportTransaction]:
    key = derived_id("transaction", message.source, message.source_id)
    name = f"transactions/{key}"
    return key, parse(transaction.ImportTransaction, message, transaction=name)
