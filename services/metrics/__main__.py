"""Puts the metrics service together: `python -m services.metrics`."""

from datetime import UTC, datetime
from functools import partial

from equiloop.metrics.v1.service_pb2_grpc import add_MetricsServiceServicer_to_server

from libs.chassis.main import Parts, main
from libs.chassis.settings import Settings
from libs.contract.events import CODEC
from libs.decider import Decider
from libs.eventstore.connect import connect
from libs.projection import Projection
from libs.projection.duck import DuckDatabase
from services.metrics.service import MetricsService
from services.metrics.views import VIEWS


def clock() -> datetime:
    """Answer the present instant, in UTC."""
    return datetime.now(UTC)


async def compose(settings: Settings) -> Parts:
    """Name the adapters."""
    store = await connect(settings.store)
    database = DuckDatabase(settings.data / "metrics")
    projection = Projection(store, CODEC, database, VIEWS, name="metrics")
    service = MetricsService(Decider(store, CODEC, clock), projection, clock)
    register = partial(add_MetricsServiceServicer_to_server, service)
    return Parts(store, [register], [projection])


if __name__ == "__main__":
    main("metrics", compose)
