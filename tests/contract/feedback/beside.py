"""What other contexts put on record, as the feedback service reads it: purchases and offers."""

from typing import Any
from uuid import uuid4

from equiloop.customers.v1 import events_pb2 as customers
from equiloop.offers.v1 import events_pb2 as offers
from google.protobuf.message import Message

from libs.eventstore.port import EventStore, Expected, NewEvent
from libs.kernel.money import to_message
from tests.contract.feedback.desk import day

OFFER = "offers/headphones"


async def append(store: EventStore, stream: str, *events: Message) -> None:
    """Put events on record."""
    new = [
        NewEvent(uuid4(), event.DESCRIPTOR.full_name, event.SerializeToString()) for event in events
    ]
    await store.append(stream, new, Expected.ANY)


async def buys(
    store: EventStore, key: str, customer: str, *, at: float, cents: int, back: int = 0
) -> None:
    """A customer buys something, and may get some of the money back."""
    name, who = f"transactions/{key}", f"customers/{customer}"
    happened: list[Message] = [
        customers.TransactionRecorded(
            event_time=day(at),
            transaction=name,
            customer=who,
            amount=to_message(cents, "EUR"),
            purchase_time=day(at),
        )
    ]
    if back:
        happened.append(
            customers.TransactionRefunded(
                event_time=day(at),
                transaction=name,
                customer=who,
                amount=to_message(back, "EUR"),
                refund_time=day(at),
            )
        )
    await append(store, f"transaction-{key}", *happened)


async def offers_headphones(store: EventStore, at: float, **because_of: Any) -> None:
    """An offer is drafted because of feedback or needs, approved and launched."""
    await append(
        store,
        "offer-headphones",
        offers.OfferDrafted(
            event_time=day(at),
            offer=OFFER,
            title="Headphones",
            origin=offers.ORIGIN_PULLED,
            **because_of,
        ),
        offers.OfferApproved(event_time=day(at), offer=OFFER, customer_manager="managers/maria"),
        offers.OfferLaunched(event_time=day(at), offer=OFFER),
    )


async def is_shown_it(store: EventStore, customer: str, at: float, *, takes: bool) -> None:
    """The offer is shown to a customer, who takes it or not."""
    key, who = f"presentations/{customer}", f"customers/{customer}"
    answer = offers.OfferAccepted if takes else offers.OfferRefused
    await append(
        store,
        f"presentation-{customer}",
        offers.OfferPresented(
            event_time=day(at), presentation=key, offer=OFFER, customer=who, present_time=day(at)
        ),
        answer(
            event_time=day(at), presentation=key, offer=OFFER, customer=who, respond_time=day(at)
        ),
    )
