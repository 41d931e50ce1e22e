"""TimeToRightPerson and LoopSla: how long until the right person has it, and in time or not?"""

from collections.abc import Mapping
from dataclasses import dataclass

import apsw
import numpy as np

from services.feedback.funnel.survival import survival
from services.feedback.views.routing.sla import ACCEPT, BREACHED, CLOSE, MET, RUNNING


@dataclass(frozen=True, slots=True)
class RightPerson:
    """How much was received and accepted, the accepted by hops, and the median time in µs."""

    received: int
    hops: Mapping[int, int]
    median: int | None

    @property
    def accepted(self) -> int:
        """How much is accepted and was not returned."""
        return sum(self.hops.values())


def right_person(
    db: apsw.Connection, *, start: int, end: int, function: str, now: int
) -> RightPerson:
    """Answer how long feedback received in [start, end) takes; ``now`` (µs) ends the wait."""
    where = "receive_time >= :start AND receive_time < :end AND receive_time <= :now"
    if function:
        where += " AND function = :function"
    values = {"start": start, "end": end, "function": function, "now": now}
    received = int(db.execute(f"SELECT count(*) FROM route WHERE {where}", values).get)
    sql = f"""
        SELECT hops, count(*) FROM route WHERE {where} AND is_accepted GROUP BY hops ORDER BY hops
    """
    hops = dict(db.execute(sql, values))
    waits = db.execute(
        f"""
        SELECT max(ifnull(accept_time, :now) - receive_time, 0), accept_time IS NOT NULL
        FROM route WHERE {where}
        """,
        values,
    )
    seen = np.array(waits.fetchall(), np.int64).reshape(-1, 2)
    is_accepted = seen[:, 1].astype(np.bool_)
    median = survival(seen[is_accepted, 0], seen[~is_accepted, 0]).median
    return RightPerson(received, hops, median)


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of the deadlines of one stage."""

    stage: int
    met: int
    breached: int
    running: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.met + self.breached + self.running


def kept(
    db: apsw.Connection,
    *,
    start: int,
    end: int,
    now: int,
    function: str,
    channel: int,
    segment: str,
) -> tuple[int, list[Kept]]:
    """Answer how many loops opened in [start, end) have a deadline, and what became of those.

    A deadline that ``now`` has passed is missed, also before that is on record.
    """
    where = "d.open_time >= :start AND d.open_time < :end"
    if function:
        where += " AND d.function = :function"
    if channel:
        where += " AND r.channel = :channel"
    if segment:
        where += " AND r.customer IN"
        where += " (SELECT customer FROM customer_segment WHERE segment = :segment)"
    join = "JOIN route r ON r.position = d.position" if channel or segment else ""
    source = f"FROM deadline d {join} WHERE {where}"
    values = {
        "start": start,
        "end": end,
        "now": now,
        "function": function,
        "channel": channel,
        "segment": segment,
    }
    sql = f"SELECT count(*) FROM (SELECT DISTINCT d.position, d.open_time {source})"
    loops = int(db.execute(sql, values).get)
    sql = f"""
        SELECT d.stage, iif(d.state = {RUNNING} AND d.time < :now, {BREACHED}, d.state), count(*)
        {source} GROUP BY 1, 2
    """
    counts = {(stage, state): count for stage, state, count in db.execute(sql, values)}
    stages = [
        Kept(stage, *(counts.get((stage, state), 0) for state in (MET, BREACHED, RUNNING)))
        for stage in (ACCEPT, CLOSE)
    ]
    return loops, stages


def list_slas(db: apsw.Connection, *, after: str, limit: int) -> list[str]:
    """Answer the promises that hold and come after the name ``after``."""
    sql = "SELECT name FROM sla WHERE stands AND name > ? ORDER BY name LIMIT ?"
    return [name for (name,) in db.execute(sql, (after, limit))]
