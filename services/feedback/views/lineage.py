"""Lineage: what came after the words? Offers made because of them, and what customers bought."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

import apsw
from equiloop.customers.v1 import events_pb2 as customers
from equiloop.feedback.v1 import events_pb2 as feedback
from equiloop.offers.v1 import events_pb2 as offers

from libs.kernel.money import to_minor
from libs.projection import Fact, Folds, fold_each
from services.feedback.views.inbox import micros


def _drafted(db: apsw.Connection, event: offers.OfferDrafted, _: Fact) -> None:
    db.executemany(
        "INSERT OR IGNORE INTO offer_source VALUES (?, ?)",
        [(source, event.offer) for source in (*event.feedback, *event.needs)],
    )
    db.execute("INSERT OR IGNORE INTO offer VALUES (?, 0, 0, 0, NULL)", (event.offer,))


def _offered(
    db: apsw.Connection, event: feedback.ActionCommitted | feedback.ActionEscalated, _: Fact
) -> None:
    if event.offer:
        row = (event.action, event.offer)
        db.execute("INSERT OR IGNORE INTO offer_source VALUES (?, ?)", row)


def _launched(db: apsw.Connection, event: offers.OfferLaunched, _: Fact) -> None:
    at = micros(event.event_time)
    db.execute("UPDATE offer SET launched = ? WHERE name = ?", (at, event.offer))


def _presented(db: apsw.Connection, event: offers.OfferPresented, fact: Fact) -> None:
    db.execute("UPDATE offer SET presented = presented + 1 WHERE name = ?", (event.offer,))
    row = (event.customer, fact.recorded.position, event.offer, event.presentation, 0)
    db.execute("INSERT INTO presentation VALUES (?, ?, ?, ?, ?)", row)


def _accepted(db: apsw.Connection, event: offers.OfferAccepted, _: Fact) -> None:
    db.execute("UPDATE offer SET accepted = accepted + 1 WHERE name = ?", (event.offer,))
    sql = "UPDATE presentation SET accepted = 1 WHERE presentation = ?"
    db.execute(sql, (event.presentation,))


def _refused(db: apsw.Connection, event: offers.OfferRefused, _: Fact) -> None:
    db.execute("UPDATE offer SET refused = refused + 1 WHERE name = ?", (event.offer,))


def _refunded(db: apsw.Connection, event: customers.TransactionRefunded, _: Fact) -> None:
    sql = "UPDATE purchase SET minor = minor - ? WHERE name = ?"
    db.execute(sql, (to_minor(event.amount), event.transaction))


class Lineage:
    """Which offers rest on what, to whom they were shown, and how they fare; who bought when."""

    name = "lineage"
    version = 1
    tables = ("offer", "offer_source", "presentation", "purchase")
    schema = """
        CREATE TABLE IF NOT EXISTS offer (
            name TEXT PRIMARY KEY,
            presented INTEGER NOT NULL,
            accepted INTEGER NOT NULL,
            refused INTEGER NOT NULL,
            launched INTEGER
        ) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS offer_source (
            source TEXT NOT NULL,
            offer TEXT NOT NULL,
            PRIMARY KEY (source, offer)
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS offer_source_by_offer ON offer_source (offer);
        CREATE TABLE IF NOT EXISTS presentation (
            customer TEXT NOT NULL,
            position INTEGER NOT NULL,
            offer TEXT NOT NULL,
            presentation TEXT NOT NULL UNIQUE,
            accepted INTEGER NOT NULL,
            PRIMARY KEY (customer, position)
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS presentation_by_offer ON presentation (offer, accepted);
        CREATE TABLE IF NOT EXISTS purchase (
            customer TEXT NOT NULL,
            time INTEGER NOT NULL,
            position INTEGER NOT NULL,
            name TEXT NOT NULL UNIQUE,
            minor INTEGER NOT NULL,
            currency TEXT NOT NULL,
            event BLOB NOT NULL,
            recorded INTEGER NOT NULL,
            PRIMARY KEY (customer, time, position)
        ) WITHOUT ROWID
    """
    _folds: ClassVar[Folds] = {
        offers.OfferDrafted: _drafted,
        offers.OfferLaunched: _launched,
        offers.OfferPresented: _presented,
        offers.OfferAccepted: _accepted,
        offers.OfferRefused: _refused,
        customers.TransactionRefunded: _refunded,
        feedback.ActionCommitted: _offered,
        feedback.ActionEscalated: _offered,
    }
    handles = frozenset(_folds) | {customers.TransactionRecorded}

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Keep offers and purchases; these come by the ten thousand, and are written at once.

        A refund comes after its purchase, so the purchases of a batch may come first.
        """
        bought = [f for f in facts if isinstance(f.event, customers.TransactionRecorded)]
        db.executemany("INSERT INTO purchase VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(_row, bought))
        if len(bought) < len(facts):
            rest = [f for f in facts if not isinstance(f.event, customers.TransactionRecorded)]
            fold_each(self._folds, db, rest)


def _row(fact: Fact) -> tuple[str, int, int, str, int, str, bytes, int]:
    event = fact.event
    assert isinstance(event, customers.TransactionRecorded)
    return (
        event.customer,
        micros(event.purchase_time),
        fact.recorded.position,
        event.transaction,
        to_minor(event.amount),
        event.amount.currency_code,
        fact.recorded.id.bytes,
        micros(event.event_time),
    )


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a customer bought; ``time`` and ``recorded`` in µs, ``minor`` net of refunds."""

    name: str
    time: int
    minor: int
    currency: str
    event: UUID
    position: int
    recorded: int


def purchases(db: apsw.Connection, customer: str, *, after: int, limit: int) -> list[Purchase]:
    """Answer the first purchases of ``customer`` later than ``after`` (µs), by time."""
    sql = """
        SELECT name, time, minor, currency, event, position, recorded FROM purchase
        WHERE customer = ? AND time > ? ORDER BY time, position LIMIT ?
    """
    rows = db.execute(sql, (customer, after, limit))
    return [
        Purchase(name, time, minor, currency, UUID(bytes=event), position, recorded)
        for name, time, minor, currency, event, position, recorded in rows
    ]


def purchased(db: apsw.Connection, customer: str, *, after: int) -> tuple[int, dict[str, int]]:
    """Answer how many purchases came later than ``after`` (µs), and their sum by currency."""
    sql = """
        SELECT currency, count(*), sum(minor) FROM purchase
        WHERE customer = ? AND time > ? GROUP BY currency ORDER BY currency
    """
    rows = list(db.execute(sql, (customer, after)))
    return sum(count for _, count, _ in rows), {code: minor for code, _, minor in rows}


def offers_because_of(db: apsw.Connection, sources: Iterable[str]) -> list[str]:
    """Answer the offers that rest on any of ``sources`` (feedback, needs, actions), sorted."""
    sql = "SELECT offer FROM offer_source WHERE source = ?"
    return sorted({offer for source in sources for (offer,) in db.execute(sql, (source,))})


def sources_of(db: apsw.Connection, offer: str) -> list[str]:
    """Answer the feedback, needs and actions that an offer rests on, sorted."""
    sql = "SELECT source FROM offer_source WHERE offer = ? ORDER BY source"
    return [source for (source,) in db.execute(sql, (offer,))]


def presentations_to(db: apsw.Connection, customer: str, offers: Iterable[str]) -> list[str]:
    """Answer how ``customer`` was shown any of ``offers``: presentations, in log order."""
    wanted = set(offers)
    sql = "SELECT offer, presentation FROM presentation WHERE customer = ? ORDER BY position"
    return [name for offer, name in db.execute(sql, (customer,)) if offer in wanted]


@dataclass(frozen=True, slots=True)
class OfferCounts:
    """To how many an offer was shown and how they answered; ``launched`` in µs, if it was."""

    presented: int
    accepted: int
    refused: int
    launched: int | None


def offer_counts(db: apsw.Connection, offer: str) -> OfferCounts | None:
    """Answer how an offer fares; None for one that does not exist."""
    sql = "SELECT presented, accepted, refused, launched FROM offer WHERE name = ?"
    row = db.execute(sql, (offer,)).fetchone()
    return None if row is None else OfferCounts(*row)


def accepted_by(db: apsw.Connection, offer: str) -> list[str]:
    """Answer the distinct customers who accepted an offer, sorted."""
    sql = "SELECT DISTINCT customer FROM presentation WHERE offer = ? AND accepted ORDER BY 1"
    return [customer for (customer,) in db.execute(sql, (offer,))]
