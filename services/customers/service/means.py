"""What every part of the edge answers by: the log, the views, and who takes turns."""

import asyncio
from dataclasses import dataclass
from functools import cached_property

from libs.decider import Aggregate, Decider, Known
from libs.eventstore.port import EventStore
from libs.projection.sqlite import SqliteDatabase
from services.customers.domain import customer, function, manager, transaction

CUSTOMER = Aggregate("customer", "customers", customer.INITIAL, customer.evolve)
TRANSACTION = Aggregate("transaction", "transactions", transaction.INITIAL, transaction.evolve)
FUNCTION = Aggregate("function", "functions", function.INITIAL, function.evolve)
MANAGER = Aggregate("manager", "managers", manager.INITIAL, manager.evolve)


@dataclass(frozen=True)
class Means:
    """Made once, by the composition root."""

    store: EventStore
    decider: Decider
    views: SqliteDatabase

    @cached_property
    def customers(self) -> Known:
        """Which customers there are."""
        return Known(self.store, "customer")

    @cached_property
    def functions(self) -> Known:
        """Which functions there are."""
        return Known(self.store, "function")

    @cached_property
    def placing(self) -> asyncio.Lock:
        """Held by whoever moves something in a tree: two moves at once could close a cycle."""
        return asyncio.Lock()


class Part:
    """A part of the edge: some methods of a service, in a module of their own."""

    def __init__(self, means: Means) -> None:
        """Answer by these ``means``."""
        self.means = means
