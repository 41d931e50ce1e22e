"""History as one question sees it: a snapshot of the views, and the day it is asked about."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import duckdb

from libs.kernel.refusals import Invalid
from libs.projection import Projection
from services.metrics.views.batch import first
from services.metrics.views.purchases import first_day

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SKEW = timedelta(minutes=1)
"""How far the clock of whoever asks may be ahead of ours."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The views as they are after the event at ``checkpoint``.

    All of the log up to ``position`` was looked at: between the two, nothing concerned them.
    """

    db: duckdb.DuckDBPyConnection
    checkpoint: int
    position: int

    def day(self, as_of: datetime, now: datetime) -> int:
        """Answer the day (since 1970, UTC) up to whose end purchases are asked for.

        Raises Invalid for an instant in the future or on a day before the first purchase.
        """
        if as_of > now + SKEW:
            raise Invalid.field("as_of", f"must not be in the future: it is {now.isoformat()} now")
        day, earliest = (as_of - EPOCH).days, first_day(self.db)
        if earliest is not None and day < earliest:
            begin = date(1970, 1, 1) + timedelta(days=earliest)
            raise Invalid.field("as_of", f"must not be before the first purchase, on {begin}")
        return day


@contextmanager
def look(projection: Projection[duckdb.DuckDBPyConnection]) -> Iterator[Snapshot]:
    """Open a snapshot of the views that ``projection`` keeps."""
    position = projection.position  # asked before the rows are: they may be newer, never older
    with projection.database.read() as db:
        row = first(db, "SELECT position FROM checkpoint")
        checkpoint = -1 if row is None else int(row[0])
        yield Snapshot(db, checkpoint, max(position, checkpoint))
