"""Puts the customers service together: `python -m services.customers`."""

from functools import partial

from equiloop.customers.v1.service_pb2_grpc import add_CustomerServiceServicer_to_server

from libs.chassis.main import Parts, main
from libs.chassis.settings import Settings
from libs.contract.events import CODEC
from libs.decider import Decider
from libs.eventstore.connect import connect
from libs.projection import Projection
from libs.projection.sqlite import SqliteDatabase
from services.customers.service import CustomerService
from services.customers.views import VIEWS


async def compose(settings: Settings) -> Parts:
    """Name the adapters."""
    store = await connect(settings.store)
    database = SqliteDatabase(settings.data / "customers")
    decider = Decider(store, CODEC)
    projection = Projection(store, CODEC, database, VIEWS)
    register = partial(
        add_CustomerServiceServicer_to_server, CustomerService(store, decider, database)
    )
    return Parts(store, [register], [projection])


if __name__ == "__main__":
    main("customers", compose)
