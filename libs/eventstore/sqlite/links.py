"""`$streams`: all streams in the order of their first events, as links to these.

It is kept nowhere: a stream's number in the file is its place in the list.
"""

from collections.abc import Iterable
from uuid import NAMESPACE_URL, uuid5

from libs.eventstore.port import RecordedEvent
from libs.eventstore.sqlite.instants import instant
from libs.eventstore.system import LINK, STREAMS

KEY = 0
"""Stands for `$streams` where other streams have their numbers in the file."""

LAST = "SELECT max(id) - 1 FROM streams WHERE id > 0"
LINKS = """
SELECT s.name, s.id - 1, l.position, l.recorded_at
FROM streams s CROSS JOIN log l ON l.stream = s.id AND l.revision = 0
WHERE s.id BETWEEN ? + 1 AND ? + 1 ORDER BY s.id
"""


def links(rows: Iterable[tuple[str, int, int, int]]) -> list[RecordedEvent]:
    """Answer the links in rows of LINKS; the position is that of the event linked to."""
    return [
        RecordedEvent(
            uuid5(NAMESPACE_URL, f"{STREAMS}/{name}"),
            LINK,
            f"0@{name}".encode(),
            b"",
            STREAMS,
            number,
            position,
            instant(recorded_at),
        )
        for name, number, position, recorded_at in rows
    ]
