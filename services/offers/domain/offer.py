"""One offer: drafted, approved by a customer manager, launched; in this order and once each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from equiloop.offers.v1 import events_pb2 as events
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import AfterValidator, Field

from libs.kernel.money import Money
from libs.kernel.refusals import AlreadyExists, NotFound, Refusal
from libs.kernel.values import (
    Command,
    Etag,
    FeedbackNames,
    ManagerName,
    NeedNames,
    OfferName,
    Words,
    timestamp,
)

_MAX_REFERENCES = 1000


def _not_negative(price: Money) -> Money:
    if price.minor < 0:
        msg = "must not be negative"
        raise ValueError(msg)
    return price


class DraftOffer(Command):
    """Something shall be proposed to customers, at best because of what they said."""

    offer: OfferName
    title: Annotated[Words, Field(max_length=200)]
    description: Annotated[str, Field(max_length=5000)] = ""
    price: Annotated[Money, AfterValidator(_not_negative)] | None = None
    feedback: Annotated[FeedbackNames, Field(max_length=_MAX_REFERENCES)] = ()
    needs: Annotated[NeedNames, Field(max_length=_MAX_REFERENCES)] = ()


class ApproveOffer(Command):
    """A customer manager stands for the offer."""

    name: OfferName
    customer_manager: ManagerName
    etag: Etag | None = None


class LaunchOffer(Command):
    """The offer may be presented from now on."""

    name: OfferName
    etag: Etag | None = None


OfferCommand = DraftOffer | ApproveOffer | LaunchOffer


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer as it now is; ``drafted`` is None until it was."""

    drafted: events.OfferDrafted | None = None
    approved_by: str = ""
    launched: bool = False
    changed: Timestamp | None = None


INITIAL = Offer()


def decide(command: OfferCommand, state: Offer, now: datetime) -> Sequence[Message]:
    """Answer what follows from ``command``."""
    if isinstance(command, DraftOffer):
        return _draft(command, state, now)
    if state.drafted is None:
        raise NotFound(command.name)
    match command:
        case ApproveOffer():
            return _approve(command, state, now)
        case LaunchOffer():
            return _launch(command, state, now)


def _draft(command: DraftOffer, state: Offer, now: datetime) -> Sequence[Message]:
    if state.drafted is not None:
        message = f"{command.offer!r} was drafted before"
        raise AlreadyExists("OFFER_EXISTS", message, offer=command.offer)
    pulled = command.feedback or command.needs
    return [
        events.OfferDrafted(
            event_time=timestamp(now),
            offer=command.offer,
            title=command.title,
            description=command.description,
            price=None if command.price is None else command.price.message(),
            feedback=command.feedback,
            needs=command.needs,
            origin=events.ORIGIN_PULLED if pulled else events.ORIGIN_PUSH,
        )
    ]


def _approve(command: ApproveOffer, state: Offer, now: datetime) -> Sequence[Message]:
    if state.approved_by:
        message = f"{command.name!r} was approved by {state.approved_by!r} before"
        raise Refusal(
            "OFFER_ALREADY_APPROVED",
            message,
            offer=command.name,
            customer_manager=state.approved_by,
        )
    return [
        events.OfferApproved(
            event_time=timestamp(now),
            offer=command.name,
            customer_manager=command.customer_manager,
        )
    ]


def _launch(command: LaunchOffer, state: Offer, now: datetime) -> Sequence[Message]:
    if state.launched:
        message = f"{command.name!r} was launched before"
        raise Refusal("OFFER_ALREADY_LAUNCHED", message, offer=command.name)
    if not state.approved_by:
        message = f"{command.name!r} is not launched before a customer manager has approved it"
        raise Refusal("OFFER_NOT_APPROVED", message, offer=command.name)
    return [events.OfferLaunched(event_time=timestamp(now), offer=command.name)]


def evolve(state: Offer, event: Message) -> Offer:
    """Answer ``state`` after ``event``."""
    match event:
        case events.OfferDrafted():
            return Offer(event, changed=event.event_time)
        case events.OfferApproved():
            return replace(state, approved_by=event.customer_manager, changed=event.event_time)
        case events.OfferLaunched():
            return replace(state, launched=True, changed=event.event_time)
    return state
