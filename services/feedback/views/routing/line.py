"""Who is told: the head of a function, and those above, as the organisation now is."""

from typing import Any

import apsw
from equiloop.customers.v1 import organisation_events_pb2 as organisation

from libs.projection import Fact
from services.feedback.views.inbox import micros

DEPTH = 64
"""Most steps upwards: two instances of the customers service may have closed a circle."""


def headed(
    db: apsw.Connection,
    event: organisation.FunctionRegistered | organisation.FunctionChanged,
    _: Fact,
) -> None:
    """Keep who leads a function; what it holds and nobody could be told of is told now."""
    row = (event.function, event.head, event.parent)
    db.execute("INSERT OR REPLACE INTO function_head VALUES (?, ?, ?)", row)
    if event.head:
        sql = """
            UPDATE ladder SET next_time = ? WHERE level = 0 AND next_time IS NULL
            AND position IN (SELECT position FROM route WHERE function = ? AND is_open)
        """
        db.execute(sql, (micros(event.event_time), event.function))


def placed(db: apsw.Connection, event: organisation.ReportingLineSet, _: Fact) -> None:
    """Keep to whom a manager reports."""
    row = (event.manager, event.reports_to)
    db.execute("INSERT OR REPLACE INTO reporting_line VALUES (?, ?)", row)


def _up(db: apsw.Connection, sql: str, name: str) -> list[tuple[Any, ...]]:
    """Answer rows from ``name`` upwards; the last column of each says where the next one is."""
    rows: list[tuple[Any, ...]] = []
    seen: set[str] = set()
    while name and name not in seen and len(rows) <= DEPTH:
        seen.add(name)
        row = db.execute(sql, (name,)).fetchone()
        if row is None:
            break
        rows.append(row)
        name = row[-1]
    return rows


def managers(db: apsw.Connection, function: str) -> list[str]:
    """Answer who is told of what ``function`` missed, level by level from the first.

    That is its head, or that of the first function above which has one, then to whom he reports.
    """
    sql = "SELECT head, parent FROM function_head WHERE function = ?"
    head = next((head for head, _ in _up(db, sql, function) if head), "")
    if not head:
        return []
    sql = "SELECT reports_to FROM reporting_line WHERE manager = ?"
    above = [boss for (boss,) in _up(db, sql, head) if boss]
    return list(dict.fromkeys((head, *above)))[: DEPTH + 1]
