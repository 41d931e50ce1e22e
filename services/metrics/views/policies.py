"""Policies: how do purchases become equity?"""

from collections.abc import Sequence

import duckdb
from equiloop.metrics.v1 import events_pb2 as events

from libs.projection import Fact
from services.metrics.views.batch import first, of_type


class Policies:
    """Every equity policy that was ever set; the last one counts."""

    name = "policies"
    by_stream = True
    version = 1
    tables = ("policy",)
    schema = """
        CREATE TABLE IF NOT EXISTS policy (
            position BIGINT NOT NULL,
            revision BIGINT NOT NULL,
            decided BLOB NOT NULL -- the event
        )
    """
    handles = frozenset({events.EquityPolicySet})

    def fold(self, db: duckdb.DuckDBPyConnection, facts: Sequence[Fact]) -> None:
        """Add policies."""
        revisions = [fact.recorded.revision for fact in facts]
        positions, decided = of_type(facts, events.EquityPolicySet)
        data = [event.SerializeToString() for event in decided]
        rows = list(zip(positions, revisions, data, strict=True))
        db.executemany("INSERT INTO policy VALUES (?, ?, ?)", rows)


def current(db: duckdb.DuckDBPyConnection) -> tuple[events.EquityPolicySet, int] | None:
    """Answer the policy that counts, and its revision; None until one was set."""
    row = first(db, "SELECT decided, revision FROM policy ORDER BY position DESC LIMIT 1")
    return None if row is None else (events.EquityPolicySet.FromString(row[0]), int(row[1]))
