"""Customers: by which key are they known here, and how are they labelled?"""

from collections.abc import Sequence

import duckdb
from equiloop.customers.v1 import events_pb2 as events
from equiloop.metrics.v1 import service_pb2 as api

from libs.projection import Fact
from services.metrics.models.arrays import IntArray
from services.metrics.views.batch import integers, of_type, run, text

_MEET = """
    INSERT INTO customer
    SELECT key, name, '', '', '' FROM batch ANTI JOIN customer USING (name)
"""
_LABEL = """
    UPDATE customer SET cohort = batch.cohort, segments = batch.segments
    FROM batch WHERE customer.name = batch.name
"""
_ASSIGN = "UPDATE customer SET manager = batch.manager FROM batch WHERE customer.name = batch.name"


class Customers:
    """Every customer that any event names, with cohort, segments and manager as they now are.

    A customer's key is the log position of the first event that names him: the same however the
    log is cut into batches. Other views of customers come after this one, and join on the name.
    """

    name = "customers"
    version = 1
    tables = ("customer",)
    schema = """
        CREATE TABLE IF NOT EXISTS customer (
            key BIGINT NOT NULL,
            name VARCHAR NOT NULL,
            cohort VARCHAR NOT NULL,
            segments VARCHAR NOT NULL, -- sorted, with commas in between
            manager VARCHAR NOT NULL
        )
    """
    handles = frozenset(
        {
            events.CustomerRegistered,
            events.CustomerLabelled,
            events.CustomerManagerAssigned,
            events.TransactionRecorded,
        }
    )

    def fold(self, db: duckdb.DuckDBPyConnection, facts: Sequence[Fact]) -> None:
        """Keep whoever is new, and of the labels in a batch the last."""
        names = [fact.event.customer for fact in facts]  # type: ignore[attr-defined]
        positions = [fact.recorded.position for fact in facts]
        first = dict(zip(reversed(names), reversed(positions), strict=True))
        run(db, _MEET, {"name": text([*first]), "key": integers([*first.values()])})
        _, registered = of_type(facts, events.CustomerRegistered)
        _, labelled = of_type(facts, events.CustomerLabelled)
        # Nobody is labelled before he is registered, so the last one here is the last in the log.
        both: list[events.CustomerRegistered | events.CustomerLabelled] = [*registered, *labelled]
        labels = {event.customer: (event.cohort, ",".join(event.segments)) for event in both}
        if labels:
            cohorts, segments = zip(*labels.values(), strict=True)
            columns = {"cohort": text(cohorts), "segments": text(segments)}
            run(db, _LABEL, {"name": text([*labels]), **columns})
        _, assigned = of_type(facts, events.CustomerManagerAssigned)
        managers = {event.customer: event.customer_manager for event in assigned}
        if managers:
            run(db, _ASSIGN, {"name": text([*managers]), "manager": text([*managers.values()])})


def keys_of(db: duckdb.DuckDBPyConnection, names: Sequence[str]) -> dict[str, int]:
    """Answer the keys of those of ``names`` that are known."""
    sql = "SELECT name, key FROM customer SEMI JOIN batch USING (name)"
    found = run(db, sql, {"name": text(names)})
    return dict(zip(found["name"].tolist(), found["key"].tolist(), strict=True))


def select(
    db: duckdb.DuckDBPyConnection, *, cohort: str = "", segment: str = "", manager: str = ""
) -> IntArray:
    """Answer the keys of all customers with these labels (empty: any), in ascending order."""
    conditions = {
        "cohort": (cohort, "cohort = $cohort"),
        "segment": (segment, "list_contains(string_split(segments, ','), $segment)"),
        "manager": (manager, "manager = $manager"),
    }
    asked = {name: value for name, (value, _) in conditions.items() if value}
    where = " AND ".join(conditions[name][1] for name in asked) or "true"
    sql = f"SELECT key FROM customer WHERE {where} ORDER BY key"
    keys: IntArray = run(db, sql, parameters=asked)["key"]
    return keys


_LABELS = {
    api.EQUITY_GROUPING_COHORT: "cohort",
    api.EQUITY_GROUPING_SEGMENT: "unnest(string_split(segments, ','))",
    api.EQUITY_GROUPING_CUSTOMER_MANAGER: "manager",
}


def groups(
    db: duckdb.DuckDBPyConnection, grouping: api.EquityGrouping.ValueType
) -> list[tuple[str, IntArray]]:
    """Answer each group's label and its customers' keys, both in ascending order.

    Who has no label is in the group called by the empty text.
    """
    sql = f"""
        SELECT label, list(key ORDER BY key) AS keys
        FROM (SELECT key, {_LABELS[grouping]} AS label FROM customer)
        GROUP BY label ORDER BY label
    """
    found = run(db, sql)
    return list(zip(found["label"].tolist(), found["keys"], strict=True))
