"""One presentation: one customer shown one offer, and the one answer to it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Self

from equiloop.offers.v1 import events_pb2 as events
from equiloop.offers.v1 import service_pb2 as api
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import InstanceOf, StringConstraints, model_validator

from libs.kernel.refusals import AlreadyExists, FieldError, NotFound, Refusal
from libs.kernel.times import not_ahead
from libs.kernel.values import (
    Command,
    CustomerName,
    Etag,
    Instant,
    Language,
    OfferName,
    instant,
    known,
    resource,
    timestamp,
)
from services.offers.domain import offer as offers
from services.offers.domain.offer import Offer

PresentationName = Annotated[str, resource("presentations")]


class PresentOffer(Command):
    """One customer is shown the offer called ``name``, which stands as ``offer`` says."""

    presentation: PresentationName
    name: OfferName
    customer: CustomerName
    present_time: Instant | None = None
    offer: InstanceOf[Offer] = offers.INITIAL


class RecordResponse(Command):
    """The customer has answered."""

    name: PresentationName
    answer: Annotated[int, known(api.Answer)]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)] = ""
    language_code: Language | None = None
    respond_time: Instant | None = None
    etag: Etag | None = None

    @model_validator(mode="after")
    def _only_a_refusal_has_a_reason(self) -> Self:
        if self.reason and self.answer != api.ANSWER_REFUSED:
            raise FieldError("reason", "goes only with ANSWER_REFUSED")
        return self


@dataclass(frozen=True, slots=True)
class Presentation:
    """A presentation as it now is; ``presented`` is None until it was."""

    presented: events.OfferPresented | None = None
    answered: events.OfferAccepted | events.OfferRefused | None = None
    changed: Timestamp | None = None


INITIAL = Presentation()


def decide(
    command: PresentOffer | RecordResponse, state: Presentation, now: datetime
) -> Sequence[Message]:
    """Answer what follows from ``command``."""
    match command:
        case PresentOffer():
            return _present(command, state, now)
        case RecordResponse():
            return _respond(command, state, now)


def _present(command: PresentOffer, state: Presentation, now: datetime) -> Sequence[Message]:
    if state.presented is not None:
        message = f"{command.presentation!r} took place before"
        raise AlreadyExists("PRESENTATION_EXISTS", message, presentation=command.presentation)
    drafted = command.offer.drafted
    if drafted is None:
        raise NotFound(command.name)
    if not command.offer.launched:
        message = f"{command.name!r} is not presented before it was launched"
        raise Refusal("OFFER_NOT_LAUNCHED", message, offer=command.name)
    present_time = command.present_time or now
    not_ahead("present_time", present_time, now)
    return [
        events.OfferPresented(
            event_time=timestamp(now),
            presentation=command.presentation,
            offer=command.name,
            customer=command.customer,
            present_time=timestamp(present_time),
            origin=drafted.origin,
        )
    ]


def _respond(command: RecordResponse, state: Presentation, now: datetime) -> Sequence[Message]:
    presented = state.presented
    if presented is None:
        raise NotFound(command.name)
    if state.answered is not None:
        message = f"the customer has answered {command.name!r} before"
        raise Refusal("ALREADY_ANSWERED", message, presentation=command.name)
    present_time = instant(presented.present_time)
    respond_time = command.respond_time or max(now, present_time)
    not_ahead("respond_time", respond_time, now)
    if respond_time < present_time:
        message = f"{command.name!r} was at {present_time}, after {respond_time}"
        raise Refusal("RESPONSE_BEFORE_PRESENTATION", message, presentation=command.name)
    if command.answer == api.ANSWER_ACCEPTED:
        return [
            events.OfferAccepted(
                event_time=timestamp(now),
                presentation=command.name,
                offer=presented.offer,
                customer=presented.customer,
                respond_time=timestamp(respond_time),
            )
        ]
    return [
        events.OfferRefused(
            event_time=timestamp(now),
            presentation=command.name,
            offer=presented.offer,
            customer=presented.customer,
            reason=command.reason,
            language_code=command.language_code or "",
            respond_time=timestamp(respond_time),
        )
    ]


def evolve(state: Presentation, event: Message) -> Presentation:
    """Answer ``state`` after ``event``."""
    match event:
        case events.OfferPresented():
            return Presentation(event, changed=event.event_time)
        case events.OfferAccepted() | events.OfferRefused():
            return replace(state, answered=event, changed=event.event_time)
    return state
