"""Rows read to their end before anything else is done: a statement must not be changed under."""

from typing import Any

import apsw


def rows(db: apsw.Connection, sql: str, values: Any = ()) -> list[Any]:
    """Answer all rows of a statement, each a tuple."""
    return db.execute(sql, values).fetchall()
