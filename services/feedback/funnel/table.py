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
        self._sql = f"SELECT {', '.join(columns)} FROM {name} WHERE n > ? ORDER BY n LIMIT {CHUNK}"

    def __getitem__(self, column: str) -> NDArray[Any]:
        """Answer a column: a view of it, good until the next refresh."""
        return self._columns[column][: self.size]

    def refresh(self, db: apsw.Connection) -> slice:
        """Take in the rows that are new; answer which they are."""
        before = self.size
        while rows := db.execute(self._sql, (self.size,)).fetchall():
            after = self.size + len(rows)
            self._make_room(after)
            for column, values in zip(self._columns.values(), zip(*rows, strict=True), strict=True):
                column[self.size : after] = values
            self.size = after
        return slice(before, self.size)

    def _make_room(self, needed: int) -> None:
        for key, column in self._columns.items():
            if needed > len(column):
                larger = np.zeros(max(needed, 2 * len(column)), column.dtype)
                larger[: self.size] = column[: self.size]
                self._columns[key] = larger
