"""FunctionInbox: what does a function hold, and what is due first?"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import apsw

from services.feedback.views.routing.rows import rows
from services.feedback.views.routing.sla import ACCEPT

ORDERS = {"age": "receive_time", "deadline": "close_deadline"}
"""By what an inbox may be sorted, and the column of that."""

FIRST = (-(1 << 62), 0)
"""Before the first item of an inbox."""


@dataclass(frozen=True, slots=True)
class Held:
    """Feedback in an inbox; times in microseconds, ``key`` is its place in the order asked for."""

    key: tuple[int, int]
    is_accepted: bool
    is_breached: bool
    feedback: str
    customer: str
    channel: int
    receive_time: int
    open_time: int
    hops: int
    sla: str
    close_deadline: int
    accept_deadline: int | None
    level: int


_EITHER = (0, 1)


def inbox(
    db: apsw.Connection,
    function: str,
    *,
    order: str,
    after: tuple[int, int],
    limit: int,
    accepted: bool | None,
    breached: bool | None,
) -> list[Held]:
    """Answer open feedback that ``function`` holds (empty: nobody), in ``order`` after a key.

    Each pair of accepted and breached is a span of one index: they are read side by side, so that
    a page costs the same however much there is.
    """
    column = ORDERS[order]
    spans = product(_wanted(accepted), _wanted(breached))
    parts = " UNION ALL ".join(_span(column, *span) for span in spans)
    sql = f"""
        SELECT r.{column}, r.position, r.is_accepted, r.is_breached, r.feedback, r.customer,
            r.channel, r.receive_time, r.open_time, r.hops, r.sla, r.close_deadline,
            (SELECT time FROM deadline d WHERE d.position = r.position AND d.stage = {ACCEPT}
                AND d.open_time = r.open_time AND NOT r.is_accepted),
            ifnull((SELECT level FROM ladder l WHERE l.position = r.position), 0)
        FROM ({parts} ORDER BY 1, 2 LIMIT :limit) k JOIN route r ON r.position = k.position
        ORDER BY k.place, k.position
    """
    values = {"function": function, "time": after[0], "position": after[1], "limit": limit}
    return [
        Held((row[0], row[1]), bool(row[2]), bool(row[3]), *row[4:])
        for row in rows(db, sql, values)
    ]


def _wanted(state: bool | None) -> Sequence[int]:
    return _EITHER if state is None else (int(state),)


def _span(column: str, is_accepted: int, is_breached: int) -> str:
    return f"""
        SELECT * FROM (
            SELECT {column} AS place, position FROM route
            WHERE function = :function AND is_accepted = {is_accepted}
            AND is_breached = {is_breached} AND is_open
            AND ({column}, position) > (:time, :position)
            ORDER BY {column}, position LIMIT :limit
        )
    """
