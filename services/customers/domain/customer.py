"""One customer: registered once, then corrected, labelled, and answered for by one manager."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from equiloop.customers.v1 import events_pb2 as events
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from libs.kernel.refusals import AlreadyExists, NotFound
from libs.kernel.values import (
    Command,
    CustomerName,
    Etag,
    Id,
    Label,
    Labels,
    Language,
    ManagerName,
    Source,
    timestamp,
)

_CORRECTABLE = frozenset({"display_name", "email", "language_code"})

DisplayName = Annotated[str, Field(max_length=200)]
Email = Annotated[str, Field(max_length=254)]
Segments = Annotated[Labels, Field(max_length=20)]


def _paths(paths: frozenset[str]) -> frozenset[str]:
    unknown = sorted(paths - _CORRECTABLE - {"*"})
    if unknown:
        msg = f"unknown path {', '.join(map(repr, unknown))}: there are {sorted(_CORRECTABLE)}"
        raise ValueError(msg)
    return _CORRECTABLE if not paths or "*" in paths else paths


class RegisterCustomer(Command):
    """Somebody shall be known to us."""

    customer_id: Id
    display_name: DisplayName = ""
    email: Email = ""
    language_code: Language | None = None
    cohort: Label | None = None
    segments: Segments = ()
    source: Source | None = None
    source_id: Annotated[Source | None, Field(validate_default=True)] = None

    @field_validator("source_id")
    @classmethod
    def _goes_with_source(cls, source_id: str | None, others: ValidationInfo) -> str | None:
        source = others.data.get("source", source_id)
        if (source is None) != (source_id is None):
            msg = "source and source_id go together"
            raise ValueError(msg)
        return source_id


class ImportCustomer(RegisterCustomer):
    """The same, of a system that can say it again: its item is known by source and source_id."""

    source: Source
    source_id: Source


class Change(Command):
    """A customer shall change, and if ``etag`` is given only as it was then."""

    name: CustomerName
    etag: Etag | None = None


class Correction(Change):
    """The fields of a customer as they shall be."""

    display_name: DisplayName = ""
    email: Email = ""
    language_code: Language | None = None


class UpdateCustomer(Command):
    """What we know of a customer shall be corrected, in the fields of ``update_mask``."""

    customer: Correction
    update_mask: Annotated[frozenset[str], AfterValidator(_paths)] = _CORRECTABLE

    @property
    def name(self) -> str:
        """The customer to be corrected."""
        return self.customer.name

    @property
    def etag(self) -> int | None:
        """The revision in which the caller has seen the customer."""
        return self.customer.etag


class LabelCustomer(Change):
    """Cohort and segments shall be these, and no others."""

    cohort: Label | None = None
    segments: Segments = ()


class AssignCustomerManager(Change):
    """One employee shall answer for the relationship, and nobody else."""

    customer_manager: ManagerName


CustomerCommand = RegisterCustomer | UpdateCustomer | LabelCustomer | AssignCustomerManager


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer as it now is; ``registered`` is None until it was."""

    registered: events.CustomerRegistered | None = None
    details: events.CustomerRegistered | events.CustomerUpdated | None = None
    labels: events.CustomerRegistered | events.CustomerLabelled | None = None
    customer_manager: str = ""
    changed: Timestamp | None = None


INITIAL = Customer()


def decide(command: CustomerCommand, state: Customer, now: datetime) -> Sequence[Message]:
    """Answer what follows from ``command``."""
    match command:
        case RegisterCustomer():
            return _register(command, state, now)
        case UpdateCustomer():
            return _update(command, state, now)
        case LabelCustomer():
            return _label(command, state, now)
        case AssignCustomerManager():
            return _assign(command, state, now)


def _register(command: RegisterCustomer, state: Customer, now: datetime) -> Sequence[Message]:
    if state.registered is None:
        return [_registered(command, now)]
    if _registered(command, state.registered.event_time.ToDatetime()) == state.registered:
        return []
    name = state.registered.customer
    message = f"{name!r} was registered before, with other content"
    raise AlreadyExists("CUSTOMER_EXISTS", message, customer=name)


def _registered(command: RegisterCustomer, at: datetime) -> events.CustomerRegistered:
    return events.CustomerRegistered(
        event_time=timestamp(at),
        customer=f"customers/{command.customer_id}",
        display_name=command.display_name,
        email=command.email,
        language_code=command.language_code or "",
        cohort=command.cohort or "",
        segments=command.segments,
        source=command.source or "",
        source_id=command.source_id or "",
    )


def _update(command: UpdateCustomer, state: Customer, now: datetime) -> Sequence[Message]:
    wanted, known = command.customer, state.details
    if known is None:
        raise NotFound(wanted.name)
    fields = {
        field: getattr(wanted if field in command.update_mask else known, field) or ""
        for field in _CORRECTABLE
    }
    if all(getattr(known, field) == value for field, value in fields.items()):
        return []
    return [events.CustomerUpdated(event_time=timestamp(now), customer=wanted.name, **fields)]


def _label(command: LabelCustomer, state: Customer, now: datetime) -> Sequence[Message]:
    known, cohort = state.labels, command.cohort or ""
    if known is None:
        raise NotFound(command.name)
    if (known.cohort, tuple(known.segments)) == (cohort, command.segments):
        return []
    return [
        events.CustomerLabelled(
            event_time=timestamp(now),
            customer=command.name,
            cohort=cohort,
            segments=command.segments,
        )
    ]


def _assign(command: AssignCustomerManager, state: Customer, now: datetime) -> Sequence[Message]:
    if state.registered is None:
        raise NotFound(command.name)
    if state.customer_manager == command.customer_manager:
        return []
    return [
        events.CustomerManagerAssigned(
            event_time=timestamp(now),
            customer=command.name,
            customer_manager=command.customer_manager,
            previous_customer_manager=state.customer_manager,
        )
    ]


def evolve(state: Customer, event: Message) -> Customer:
    """Answer ``state`` after ``event``."""
    match event:
        case events.CustomerRegistered():
            return Customer(event, event, event, changed=event.event_time)
        case events.CustomerUpdated():
            return replace(state, details=event, changed=event.event_time)
        case events.CustomerLabelled():
            return replace(state, labels=event, changed=event.event_time)
        case events.CustomerManagerAssigned():
            manager = event.customer_manager
            return replace(state, customer_manager=manager, changed=event.event_time)
    return state
