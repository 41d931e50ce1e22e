"""OfferBook: which offers are there, and how do customers answer them?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import apsw
from equiloop.offers.v1 import events_pb2 as events

from libs.projection import Fact, Folds, fold_each


def _drafted(db: apsw.Connection, event: events.OfferDrafted, fact: Fact) -> None:
    row = (event.offer, fact.recorded.position, event.origin)
    db.execute("INSERT INTO offer VALUES (?, ?, ?, 0, 0, 0)", row)


def _presented(db: apsw.Connection, event: events.OfferPresented, _: Fact) -> None:
    db.execute("UPDATE offer SET presented = presented + 1 WHERE name = ?", (event.offer,))


def _accepted(db: apsw.Connection, event: events.OfferAccepted, _: Fact) -> None:
    db.execute("UPDATE offer SET accepted = accepted + 1 WHERE name = ?", (event.offer,))


def _refused(db: apsw.Connection, event: events.OfferRefused, _: Fact) -> None:
    db.execute("UPDATE offer SET refused = refused + 1 WHERE name = ?", (event.offer,))


class OfferBook:
    """Offers in the order in which they were drafted, with the numbers of their presentations."""

    name = "offer_book"
    version = 1
    tables = ("offer",)
    schema = """
        CREATE TABLE IF NOT EXISTS offer (
            name TEXT PRIMARY KEY,
            position INTEGER NOT NULL UNIQUE,
            origin INTEGER NOT NULL,
            presented INTEGER NOT NULL,
            accepted INTEGER NOT NULL,
            refused INTEGER NOT NULL
        ) WITHOUT ROWID
    """
    _folds: ClassVar[Folds] = {
        events.OfferDrafted: _drafted,
        events.OfferPresented: _presented,
        events.OfferAccepted: _accepted,
        events.OfferRefused: _refused,
    }
    handles = frozenset(_folds)

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Keep every offer, and count presentations and answers."""
        fold_each(self._folds, db, facts)


@dataclass(frozen=True, slots=True)
class Line:
    """One offer of the book, drafted at ``position``."""

    position: int
    offer: str
    presented: int
    accepted: int
    refused: int


def list_lines(db: apsw.Connection, *, after: int, limit: int, origin: int) -> list[Line]:
    """Answer offers drafted after position ``after``; ``origin`` 0 means any."""
    sql = """
        SELECT position, name, presented, accepted, refused FROM offer
        WHERE position > :after AND :origin IN (0, origin) ORDER BY position LIMIT :limit
    """
    values = {"after": after, "limit": limit, "origin": origin}
    return [Line(*row) for row in db.execute(sql, values)]
