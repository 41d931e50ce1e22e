"""The offers service's view, folded from a log made by hand."""

from pathlib import Path

import pytest
from equiloop.offers.v1 import events_pb2 as events
from google.protobuf.message import Message

from services.offers.views import VIEWS
from services.offers.views.book import Line, list_lines
from tests.contract.log import facts, folded, rows

PULLED, PUSH = events.ORIGIN_PULLED, events.ORIGIN_PUSH


def shown(offer: str, presentation: str) -> events.OfferPresented:
    return events.OfferPresented(offer=offer, presentation=presentation)


LOG: list[Message] = [
    events.OfferDrafted(offer="offers/b", origin=PULLED),
    events.OfferDrafted(offer="offers/a", origin=PUSH),
    shown("offers/b", "presentations/1"),
    events.OfferDrafted(offer="offers/c", origin=PULLED),
    shown("offers/b", "presentations/2"),
    shown("offers/a", "presentations/3"),
    shown("offers/b", "presentations/4"),
    events.OfferAccepted(offer="offers/b", presentation="presentations/4"),
    events.OfferRefused(offer="offers/b", presentation="presentations/1"),
    events.OfferRefused(offer="offers/a", presentation="presentations/3"),
]
B, A, C = (
    Line(10, "offers/b", 3, 1, 1),
    Line(20, "offers/a", 1, 0, 1),
    Line(40, "offers/c", 0, 0, 0),
)


@pytest.mark.parametrize(
    ("after", "limit", "origin", "expected"),
    [
        (-1, 10, 0, [B, A, C]),
        (-1, 2, 0, [B, A]),
        (20, 2, 0, [C]),
        (-1, 10, PULLED, [B, C]),
        (-1, 10, PUSH, [A]),
        (10, 1, PULLED, [C]),
    ],
)
def test_the_book_lists_offers_as_drafted_with_their_counts(
    tmp_path: Path, after: int, limit: int, origin: int, expected: list[Line]
) -> None:
    """Offers stand in the order of their drafts, of all or of one origin, page by page."""
    with folded(tmp_path, VIEWS, facts(*LOG)) as database, database.read() as db:
        assert list_lines(db, after=after, limit=limit, origin=origin) == expected


@pytest.mark.parametrize("batch", [1, 3])
def test_batches_do_not_matter(tmp_path: Path, batch: int) -> None:
    """However the log is cut into batches, the rows are the same."""
    log = facts(*LOG)
    with (
        folded(tmp_path / "whole", VIEWS, log) as whole,
        folded(tmp_path / "parts", VIEWS, log, batch) as parts,
    ):
        assert rows(parts, VIEWS) == rows(whole, VIEWS)
