"""What may be asked of metrics: parsed like commands, so that every wrong field is named."""

from typing import Annotated

from equiloop.metrics.v1 import events_pb2 as events
from equiloop.metrics.v1 import service_pb2 as api
from pydantic import Field

from libs.kernel.values import Command, CustomerName, Instant, Label, ManagerName, known, resource


class OneModel(Command):
    """A model by its name."""

    name: Annotated[str, resource("models")]


class Fitted(Command):
    """Models of one kind; 0: of all."""

    kind: Annotated[int, known(events.ModelKind)] = 0


class Equity(Command):
    """Whose equity is asked for, as of when (None: now), in which groups (0: none)."""

    as_of: Instant | None = None
    group_by: Annotated[int, known(api.EquityGrouping)] = 0
    cohort: Label | None = None
    segment: Label | None = None
    customer_manager: ManagerName | None = None


class Watched(Equity):
    """Equity as it changes, once history beyond ``after_position`` was seen."""

    after_position: Annotated[int, Field(ge=0)] = 0


class Value(Command):
    """What one customer is worth, as of when (None: now)."""

    customer: CustomerName
    as_of: Instant | None = None


class Values(Command):
    """What many customers are worth, as of when (None: now)."""

    customers: Annotated[tuple[CustomerName, ...], Field(min_length=1, max_length=10_000)]
    as_of: Instant | None = None
