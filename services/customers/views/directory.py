"""CustomerDirectory: which customers are there? Who they are stays in the log."""

from collections.abc import Sequence
from typing import ClassVar

import apsw
from equiloop.customers.v1 import events_pb2 as events

from libs.projection import Fact, Folds, fold_each


def _registered(db: apsw.Connection, event: events.CustomerRegistered, _: Fact) -> None:
    db.execute("INSERT INTO customer VALUES (?, ?, '')", (event.customer, event.cohort))
    _belongs_to(db, event.customer, event.segments)


def _labelled(db: apsw.Connection, event: events.CustomerLabelled, _: Fact) -> None:
    db.execute("UPDATE customer SET cohort = ? WHERE name = ?", (event.cohort, event.customer))
    db.execute("DELETE FROM segment WHERE customer = ?", (event.customer,))
    _belongs_to(db, event.customer, event.segments)


def _belongs_to(db: apsw.Connection, customer: str, segments: Sequence[str]) -> None:
    rows = [(segment, customer) for segment in segments]
    db.executemany("INSERT INTO segment VALUES (?, ?)", rows)


def _assigned(db: apsw.Connection, event: events.CustomerManagerAssigned, _: Fact) -> None:
    sql = "UPDATE customer SET customer_manager = ? WHERE name = ?"
    db.execute(sql, (event.customer_manager, event.customer))


class CustomerDirectory:
    """Customers in the order of their ids, by cohort, segment or manager."""

    name = "customer_directory"
    by_stream = True
    version = 1
    tables = ("customer", "segment")
    schema = """
        CREATE TABLE IF NOT EXISTS customer (
            name TEXT PRIMARY KEY,
            cohort TEXT NOT NULL,
            customer_manager TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS customer_by_cohort ON customer (cohort, name);
        CREATE INDEX IF NOT EXISTS customer_by_manager ON customer (customer_manager, name);
        CREATE TABLE IF NOT EXISTS segment (
            segment TEXT NOT NULL,
            customer TEXT NOT NULL,
            PRIMARY KEY (segment, customer)
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS segment_by_customer ON segment (customer)
    """
    _folds: ClassVar[Folds] = {
        events.CustomerRegistered: _registered,
        events.CustomerLabelled: _labelled,
        events.CustomerManagerAssigned: _assigned,
    }
    handles = frozenset(_folds)

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Keep every customer with its present labels and manager."""
        fold_each(self._folds, db, facts)


def list_names(
    db: apsw.Connection,
    *,
    after: str,
    limit: int,
    cohort: str,
    segment: str,
    customer_manager: str,
) -> list[str]:
    """Answer the names of customers that come after the name ``after``."""
    sql = "SELECT name FROM customer WHERE name > :after"
    if cohort:
        sql += " AND cohort = :cohort"
    if customer_manager:
        sql += " AND customer_manager = :customer_manager"
    if segment:
        sql += " AND name IN (SELECT customer FROM segment WHERE segment = :segment)"
    sql += " ORDER BY name LIMIT :limit"
    values = {
        "after": after,
        "limit": limit,
        "cohort": cohort,
        "segment": segment,
        "customer_manager": customer_manager,
    }
    return [name for (name,) in db.execute(sql, values)]
