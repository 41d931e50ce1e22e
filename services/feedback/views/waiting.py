"""OpenLoops, asked: who waits, for whom to answer, and what has changed since?"""

from dataclasses import asdict, dataclass
from typing import Any

import apsw

FIRST = (-(1 << 62), 0)
"""Before the first open loop."""

CHANGES = 500
"""Loops after which changes are told in another answer, unless more changed at one position."""


@dataclass(frozen=True, slots=True)
class Narrow:
    """Which open loops are asked for; what is empty lets all through."""

    channel: int = 0
    theme: str = ""
    segment: str = ""
    function: str = ""
    customer: str = ""

    def condition(self) -> str:
        """Answer the condition that its fields are the values of."""
        asked = [sql for name, sql in _CONDITIONS.items() if getattr(self, name)]
        return " AND ".join(("closed IS NULL", *asked))


_CONDITIONS = {
    "channel": "channel = :channel",
    "customer": "customer = :customer",
    "theme": "feedback IN (SELECT feedback FROM theme WHERE theme = :theme)",
    "segment": "customer IN (SELECT customer FROM customer_segment WHERE segment = :segment)",
    "function": """feedback IN (
        SELECT feedback FROM route WHERE function = :function AND is_open
        UNION SELECT l.feedback FROM word w JOIN act a ON a.owner = w.n
            JOIN link l ON l.action = a.name WHERE w.name = :function
    )""",
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """Feedback as its loop stands; times in µs, ``functions`` are those that answer for it."""

    feedback: str
    receive_time: int
    position: int
    customer: str
    channel: int
    themes: tuple[str, ...]
    is_open: bool
    reopened: int | None
    changed: int
    actions: tuple[str, ...]
    functions: tuple[str, ...]
    segments: tuple[str, ...]

    def meets(self, asked: Narrow) -> bool:
        """Say whether it is open and what is asked for, as ``Narrow.condition`` says in SQL."""
        return (
            self.is_open
            and asked.channel in (0, self.channel)
            and asked.customer in ("", self.customer)
            and asked.theme in ("", *self.themes)
            and asked.segment in ("", *self.segments)
            and asked.function in ("", *self.functions)
        )


_COLUMNS = """feedback, receive_time, position, customer, channel, themes, closed IS NULL,
    reopened, changed"""


def open_loops(
    db: apsw.Connection, asked: Narrow, *, after: tuple[int, int], limit: int
) -> list[Waiting]:
    """Answer open loops, oldest first, after (receive_time, position)."""
    sql = f"""
        SELECT {_COLUMNS} FROM loop
        WHERE {asked.condition()} AND (receive_time, position) > (:time, :place)
        ORDER BY receive_time, position LIMIT :limit
    """
    values = {**asdict(asked), "time": after[0], "place": after[1], "limit": limit}
    return [_waiting(db, row) for row in db.execute(sql, values).fetchall()]


def changed(db: apsw.Connection, since: int) -> list[Waiting]:
    """Answer loops that changed after position ``since``, by the position of their last change.

    All that changed at one position come together: at most 500, and those of one event more.
    """
    sql = f"""
        SELECT {_COLUMNS} FROM loop WHERE changed > :since AND changed <= ifnull(
            (SELECT changed FROM loop WHERE changed > :since
                ORDER BY changed LIMIT 1 OFFSET :most), changed)
        ORDER BY changed, feedback
    """
    values = {"since": since, "most": CHANGES - 1}
    return [_waiting(db, row) for row in db.execute(sql, values).fetchall()]


def _waiting(db: apsw.Connection, row: Any) -> Waiting:
    feedback, received, position, customer, channel, themes, is_open, reopened, at = row
    names = {"feedback": feedback, "customer": customer}

    def listed(sql: str) -> tuple[str, ...]:
        return tuple(name for (name,) in db.execute(sql, names))

    return Waiting(
        feedback,
        received,
        position,
        customer,
        channel,
        tuple(themes.split()),
        bool(is_open),
        reopened,
        at,
        listed(_ACTIONS),
        listed(_FUNCTIONS),
        listed(_SEGMENTS),
    )


_ACTIONS = "SELECT action FROM link WHERE feedback = :feedback ORDER BY position, action"
_FUNCTIONS = """
    SELECT function FROM route WHERE feedback = :feedback AND function <> ''
    UNION SELECT w.name FROM link l JOIN act a ON a.name = l.action JOIN word w ON w.n = a.owner
        WHERE l.feedback = :feedback
    ORDER BY 1
"""
_SEGMENTS = "SELECT segment FROM customer_segment WHERE customer = :customer ORDER BY segment"
