"""Puts the offers service together: `python -m services.offers`."""

from functools import partial

from equiloop.offers.v1.service_pb2_grpc import add_OfferServiceServicer_to_server

from libs.chassis.client import channel
from libs.chassis.main import Parts, main
from libs.chassis.settings import Settings
from libs.contract.events import CODEC
from libs.decider import Decider
from libs.eventstore.connect import connect
from libs.projection import Projection
from libs.projection.reactor import Reactor
from libs.projection.sqlite import SqliteDatabase
from services.offers.policy import FeedbackClient, RefusalsBecomeFeedback
from services.offers.service import OfferService
from services.offers.views import VIEWS


async def compose(settings: Settings) -> Parts:
    """Name the adapters."""
    store = await connect(settings.store)
    database = SqliteDatabase(settings.data / "offers")
    feedback = channel(settings.feedback)
    projection = Projection(store, CODEC, database, VIEWS, name="offers")
    policy = RefusalsBecomeFeedback(FeedbackClient(feedback))
    checkpoint = SqliteDatabase(settings.data / "offers-policy")
    reactor = Reactor(
        store, CODEC, checkpoint, policy.handles, policy.react, name="refusals-become-feedback"
    )
    service = OfferService(store, Decider(store, CODEC), database)
    register = partial(add_OfferServiceServicer_to_server, service)
    return Parts(store, [register], [projection], [reactor], [feedback.close])


if __name__ == "__main__":
    main("offers", compose)
