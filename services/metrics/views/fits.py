"""Fits: which models were fitted, and which of each kind is the latest?"""

from collections.abc import Sequence

import duckdb
from equiloop.metrics.v1 import events_pb2 as events

from libs.projection import Fact
from services.metrics.views.batch import first, of_type


class Fits:
    """Every fit, as it was recorded."""

    name = "fits"
    by_stream = True
    version = 1
    tables = ("fit",)
    schema = """
        CREATE TABLE IF NOT EXISTS fit (
            position BIGINT NOT NULL,
            kind INTEGER NOT NULL,
            currency VARCHAR NOT NULL,
            fitted BLOB NOT NULL -- the event
        )
    """
    handles = frozenset({events.ModelFitted})

    def fold(self, db: duckdb.DuckDBPyConnection, facts: Sequence[Fact]) -> None:
        """Add fits."""
        positions, fits = of_type(facts, events.ModelFitted)
        rows = [
            (position, fit.kind, fit.selection.currency_code, fit.SerializeToString())
            for position, fit in zip(positions, fits, strict=True)
        ]
        db.executemany("INSERT INTO fit VALUES (?, ?, ?, ?)", rows)


def fitted(
    db: duckdb.DuckDBPyConnection, *, kind: int = 0, before: int | None = None, limit: int
) -> list[tuple[int, events.ModelFitted]]:
    """Answer (position, fit) of a kind (0: all) recorded before a position, the latest first."""
    rows = db.execute(
        """SELECT position, fitted FROM fit
        WHERE ($kind = 0 OR kind = $kind) AND ($before IS NULL OR position < $before)
        ORDER BY position DESC LIMIT $limit""",
        {"kind": kind, "before": before, "limit": limit},
    ).fetchall()
    return [(position, events.ModelFitted.FromString(data)) for position, data in rows]


def latest(db: duckdb.DuckDBPyConnection, kind: int, currency: str) -> events.ModelFitted | None:
    """Answer the latest fit of a kind on purchases in a currency; None while there is none."""
    sql = "SELECT fitted FROM fit WHERE kind = $kind AND currency = $currency"
    asked = {"kind": kind, "currency": currency}
    row = first(db, f"{sql} ORDER BY position DESC LIMIT 1", asked)
    return None if row is None else events.ModelFitted.FromString(row[0])
