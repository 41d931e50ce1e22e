"""Views that say `by_stream` make the same rows of a stream whenever it comes among the others."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

from libs.projection import View
from libs.projection.duck import DuckDatabase
from libs.projection.sqlite import SqliteDatabase
from libs.projection.view import is_by_stream
from services.customers.views import VIEWS as CUSTOMERS
from services.feedback.views import VIEWS as FEEDBACK
from services.metrics.views import VIEWS as METRICS
from services.offers.views import VIEWS as OFFERS
from tests.contract.customers.test_views import LIFE
from tests.contract.log import facts
from tests.contract.offers.test_views import LOG
from tests.contract.projection.scene import history
from tests.contract.test_metrics_views import long_history

HISTORIES: list[tuple[Sequence[View[Any]], Sequence[Message]]] = [
    (FEEDBACK, history()),
    (CUSTOMERS, LIFE),
    (METRICS, long_history()),
    (OFFERS, LOG),
]
EACH = [(view, log) for views, log in HISTORIES for view in views]
CLAIMING = [(view, log) for view, log in EACH if is_by_stream(view)]
MEETING = [(view, log) for view, log in EACH if view.name in ("offer_book", "customers")]
NAMES = ("presentation", "offer", "action", "transaction", "feedback", "customer")


def stream(event: Message) -> str:
    """Answer the stream of an event: that of the thing to which it happened."""
    for name in NAMES:
        value = getattr(event, name, "")
        if isinstance(value, str) and value:
            return value
    return type(event).__name__


def rows(view: View[Any], log: Sequence[Message], folder: Path, late: frozenset[str]) -> list[Any]:
    """Answer the rows when the streams in ``late`` come after all others."""
    mine = [fact for fact in facts(*log) if type(fact.event) in view.handles]
    database: Any = (DuckDatabase if view in METRICS else SqliteDatabase)(folder)
    database.open([view.schema], "test")
    for some in (
        [fact for fact in mine if stream(fact.event) not in late],
        [fact for fact in mine if stream(fact.event) in late],
    ):
        if some:
            database.write(1, lambda db, some=some: view.fold(db, some))
    found = [list(database.rows(table)) for table in view.tables]
    database.close()
    return found


def differs(view: View[Any], log: Sequence[Message], folder: Path) -> bool:
    """Say whether any of some choices of late streams makes other rows than the log's order."""
    chance = random.Random(7)
    streams = sorted({stream(event) for event in log if type(event) in view.handles})
    expected = rows(view, log, folder / "in-order", frozenset())
    assert any(expected)
    late = [frozenset(chance.sample(streams, len(streams) // 2)) for _ in range(4)]
    late += [frozenset([each]) for each in chance.sample(streams, min(4, len(streams)))]
    return any(
        rows(view, log, folder / str(number), each) != expected for number, each in enumerate(late)
    )


def named(parameter: Any) -> str:
    return getattr(parameter, "name", "log")


@pytest.mark.parametrize(("view", "log"), CLAIMING, ids=named)
def test_streams_do_not_meet_in_it(view: View[Any], log: Sequence[Message], tmp_path: Path) -> None:
    """Whichever streams come late, the rows are those of the log's order."""
    assert not differs(view, log, tmp_path)


@pytest.mark.parametrize(("view", "log"), MEETING, ids=named)
def test_a_false_claim_is_found_out(
    view: View[Any], log: Sequence[Message], tmp_path: Path
) -> None:
    """A view that counts in the row of one stream what happens in another differs."""
    assert differs(view, log, tmp_path)
