"""Puts the feedback service together: `python -m services.feedback`."""

from datetime import UTC, datetime

from libs.chassis.client import channel
from libs.chassis.main import Parts, main
from libs.chassis.settings import Settings
from libs.contract.events import CODEC
from libs.decider import Decider
from libs.eventstore.connect import connect
from libs.projection import Projection
from libs.projection.mirror import Mirror
from libs.projection.sqlite import SqliteDatabase
from services.feedback import policy
from services.feedback.authority import OrganisationClient
from services.feedback.coding.langid import LangId
from services.feedback.coding.vader import Vader
from services.feedback.service import services
from services.feedback.service.means import Means
from services.feedback.stakes import MetricsValuer
from services.feedback.views import VIEWS


def clock() -> datetime:
    """Answer the present instant, in UTC."""
    return datetime.now(UTC)


async def compose(settings: Settings) -> Parts:
    """Name the adapters."""
    store = await connect(settings.store)
    database = SqliteDatabase(settings.data / "feedback")
    metrics, customers = channel(settings.metrics), channel(settings.customers)
    decider = Decider(store, CODEC, clock)
    projection = Projection(store, CODEC, database, VIEWS, name="feedback")
    valuer, organisation = MetricsValuer(metrics), OrganisationClient(customers)
    means = Means(
        store, decider, database, projection.moved, valuer, organisation, clock, Vader(), LangId()
    )
    reactors = policy.reactors(means, settings.data, coding=settings.coding == "on")
    tickers = policy.tickers(means, projection)
    mirrors = [Mirror(means.history.keep_up, projection, name="feedback-history")]
    closing = [metrics.close, customers.close]
    return Parts(store, services(means), [projection], reactors, closing, tickers, mirrors)


if __name__ == "__main__":
    main("feedback", compose)
