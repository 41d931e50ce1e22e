"""Puts the customers service together: `python -m services.customers`."""

from libs.chassis.main import Parts, main
from libs.chassis.settings import Settings
from libs.contract.events import CODEC
from libs.decider import Decider
from libs.eventstore.connect import connect
from libs.projection import Projection
from libs.projection.sqlite import SqliteDatabase
from services.customers.service import services
from services.customers.service.means import Means
from services.customers.views import VIEWS


async def compose(settings: Settings) -> Parts:
    """Name the adapters."""
    store = await connect(settings.store)
    database = SqliteDatabase(settings.data / "customers")
    decider = Decider(store, CODEC)
    projection = Projection(store, CODEC, database, VIEWS, name="customers")
    return Parts(store, services(Means(store, decider, database)), [projection])


if __name__ == "__main__":
    main("customers", compose)
