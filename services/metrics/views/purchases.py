"""Purchases: what did each customer buy on which day, net of what was refunded?"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
from equiloop.customers.v1 import events_pb2 as events

from libs.kernel.money import EXPONENTS
from libs.projection import Fact
from services.metrics.models.arrays import IntArray
from services.metrics.views.batch import Column, first, integers, of_type, run, text

SECONDS_PER_DAY = 86_400
_NANOS = 1_000_000_000
_SCALE = {currency: 10**digits for currency, digits in EXPONENTS.items()}

_BUY = """
    INSERT INTO purchase
    SELECT position, transaction, key, day, minor, currency FROM batch JOIN customer USING (name)
    ORDER BY position
"""
_REFUND = "INSERT INTO refund SELECT position, transaction, day, minor FROM batch"


class Purchases:
    """One row a purchase and one row a refund, as they were recorded: nothing is changed later.

    Days are counted from 1970-01-01 (UTC), amounts are whole minor units.
    """

    name = "purchases"
    version = 1
    tables = ("purchase", "refund")
    schema = """
        CREATE TABLE IF NOT EXISTS purchase (
            position BIGINT NOT NULL,
            transaction VARCHAR NOT NULL,
            customer BIGINT NOT NULL,
            day INTEGER NOT NULL,
            minor BIGINT NOT NULL,
            currency VARCHAR NOT NULL
        );
        CREATE TABLE IF NOT EXISTS refund (
            position BIGINT NOT NULL,
            transaction VARCHAR NOT NULL,
            day INTEGER NOT NULL,
            minor BIGINT NOT NULL
        )
    """
    handles = frozenset({events.TransactionRecorded, events.TransactionRefunded})

    def fold(self, db: duckdb.DuckDBPyConnection, facts: Sequence[Fact]) -> None:
        """Add the purchases and the refunds of a batch."""
        positions, bought = of_type(facts, events.TransactionRecorded)
        if bought:
            columns = {
                "name": text([event.customer for event in bought]),
                "day": _days([event.purchase_time.seconds for event in bought]),
            }
            answer = run(db, _BUY, columns | _ledger(positions, bought))
            if answer["Count"].sum() != len(bought):
                raise LookupError("a purchase of somebody whom Customers does not know")
        positions, refunded = of_type(facts, events.TransactionRefunded)
        if refunded:
            days = _days([event.refund_time.seconds for event in refunded])
            run(db, _REFUND, {"day": days} | _ledger(positions, refunded))


def _days(seconds: list[int]) -> Column:
    return integers(seconds) // SECONDS_PER_DAY


def _ledger(
    positions: list[int],
    made: Sequence[events.TransactionRecorded] | Sequence[events.TransactionRefunded],
) -> dict[str, Column]:
    """Answer the columns that purchases and refunds have in common."""
    amounts = [event.amount for event in made]
    currencies = [amount.currency_code for amount in amounts]
    scale = integers([_SCALE[currency] for currency in currencies])
    units = integers([amount.units for amount in amounts])
    nanos = integers([amount.nanos for amount in amounts])
    return {
        "position": integers(positions),
        "transaction": text([event.transaction for event in made]),
        "minor": units * scale + nanos // (_NANOS // scale),
        "currency": text(currencies),
    }


@dataclass(frozen=True, slots=True, eq=False)
class Bought:
    """Purchases, one row each, in no order: whose, on which day, minor units net of refunds."""

    customer: IntArray
    day: IntArray
    minor: IntArray


def first_day(db: duckdb.DuckDBPyConnection) -> int | None:
    """Answer the day of the very first purchase, in any currency; None while there is none."""
    row = first(db, "SELECT min(day) FROM purchase")
    return None if row is None or row[0] is None else int(row[0])


_BOUGHT = """
    WITH refunded AS (
        SELECT transaction, sum(minor) AS minor FROM refund WHERE day <= $day GROUP BY transaction
    )
    SELECT p.customer, p.day::BIGINT AS day, (p.minor - coalesce(r.minor, 0))::BIGINT AS minor
    FROM purchase p {among} LEFT JOIN refunded r USING (transaction)
    WHERE p.day <= $day AND p.currency = $currency
"""
_FOREIGN = """
    SELECT customer, count(*) AS purchases FROM purchase
    WHERE day <= $day AND currency <> $currency GROUP BY customer ORDER BY customer
"""


def bought(
    db: duckdb.DuckDBPyConnection, *, day: int, currency: str, among: IntArray | None = None
) -> Bought:
    """Answer purchases in a currency up to and including ``day``, net of refunds by then.

    ``among``: the keys of the customers asked for; None: all.
    """
    batch = None if among is None else {"key": among}
    semi = "" if among is None else "SEMI JOIN batch ON batch.key = p.customer"
    rows = run(db, _BOUGHT.format(among=semi), batch, {"day": day, "currency": currency})
    return Bought(**rows)


def foreign(db: duckdb.DuckDBPyConnection, *, day: int, currency: str) -> tuple[IntArray, IntArray]:
    """Answer who bought in other currencies up to ``day``, and how often: (keys, purchases)."""
    rows = run(db, _FOREIGN, None, {"day": day, "currency": currency})
    return rows["customer"], rows["purchases"]
