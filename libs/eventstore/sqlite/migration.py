"""From the first layout to the second: what governs streams becomes part of the log.

The first one kept what governs a stream now, and numbered all streams alike.
"""

import json
import time
from typing import Any
from uuid import uuid4

import apsw

from libs.eventstore.port import StreamMetadata
from libs.eventstore.system import META, METADATA, written

MISPLACED = """
SELECT id FROM streams WHERE id > 0 AND (
  substr(name, 1, 1) = '$' OR NOT EXISTS (SELECT 1 FROM log WHERE log.stream = streams.id))
"""
GOVERNED = """
SELECT name, max_count, max_age, truncate_before, custom FROM streams
WHERE coalesce(max_count, max_age, truncate_before, custom) IS NOT NULL
"""


def to_second_layout(connection: apsw.Connection) -> None:
    """Bring a log to the second layout, within a transaction that the caller has begun."""
    lowest = min(0, connection.execute("SELECT min(id) FROM streams").get or 0)
    for number, key in enumerate(_all(connection, MISPLACED), 1):
        connection.execute("UPDATE log SET stream = ? WHERE stream = ?", (lowest - number, *key))
        connection.execute("UPDATE streams SET id = ? WHERE id = ?", (lowest - number, *key))
    for name, max_count, max_age, truncate_before, custom in _all(connection, GOVERNED):
        kept = json.loads(custom) if custom else {}
        metadata = StreamMetadata(max_count, max_age, truncate_before, kept)
        _record(connection, f"{META}{name}", metadata)
    connection.pragma("user_version", 2)


def _record(connection: apsw.Connection, name: str, metadata: StreamMetadata) -> None:
    execute = connection.execute
    execute("INSERT OR IGNORE INTO types (name) VALUES (?)", (METADATA,))
    execute("INSERT INTO streams (id, name) SELECT min(-1, min(id) - 1), ? FROM streams", (name,))
    execute(
        """
        INSERT INTO log VALUES (
          1 + coalesce((SELECT max(position) FROM log), 0),
          (SELECT id FROM streams WHERE name = ?), 0, ?, (SELECT id FROM types WHERE name = ?),
          max(?, coalesce((SELECT recorded_at FROM log ORDER BY position DESC LIMIT 1), 0)),
          ?, x'')
        """,
        (
            name,
            uuid4().bytes,
            METADATA,
            time.time_ns() // 1000,
            written(metadata),
        ),
    )


def _all(connection: apsw.Connection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql).fetchall()
