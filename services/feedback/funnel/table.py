"""Columns in memory that mirror a table to which rows are only added."""

from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CHUNK = 50_000
"""Rows taken in at a time."""

_FIRST_ROOM = 1024


class Table:
    """Columns that grow; the row called n in the database stands at n − 1."""

    def __init__(self, name: str, **columns: type[np.generic]) -> None:
        """Mirror the columns of these names of the table ``name``, each as its type."""
        self.size = 0
        self._columns = {key: np.zeros(_FIRST_ROOM, kind) for key, kind in columns.items()}
        texts = ", ".join(f"group_concat({column}, ' ')" for column in columns)
        rows = f"SELECT * FROM {name} WHERE n > ? ORDER BY n LIMIT {CHUNK}"
        self._sql = f"SELECT count(*), {texts} FROM ({rows})"

    def __getitem__(self, column: str) -> NDArray[Any]:
        """Answer a column: a view of it, good until the next refresh."""
        return self._columns[column][: self.size]

    def refresh(self, db: apsw.Connection) -> slice:
        """Take in the rows that are new; answer which they are.

        A column comes as one text: SQLite writes it without the interpreter's lock, so the event
        loop goes on meanwhile, and it is three times as quick as a tuple a row.
        """
        before = self.size
        while True:
            row: Any = db.execute(self._sql, (self.size,)).fetchall()[0]
            count, *texts = row
            if not count:
                return slice(before, self.size)
            after = self.size + count
            self._make_room(after)
            for column, text in zip(self._columns.values(), texts, strict=True):
                column[self.size : after] = np.fromstring(text, np.int64, sep=" ")
            self.size = after

    def _make_room(self, needed: int) -> None:
        for key, column in self._columns.items():
            if needed > len(column):
                larger = np.zeros(max(needed, 2 * len(column)), column.dtype)
                larger[: self.size] = column[: self.size]
                self._columns[key] = larger
