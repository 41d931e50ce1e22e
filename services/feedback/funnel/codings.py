"""What each item was said to be about, by its latest coding as of an instant."""

import apsw
import numpy as np

from services.feedback.funnel.table import Bools, Table


class Codings(Table):
    """Rows of codings, a theme a row; those of an item's latest coding are known beforehand."""

    def __init__(self) -> None:
        super().__init__(
            "coding",
            item=np.int32,
            theme=np.int32,
            since=np.int64,
            position=np.int64,
            sentiment=np.int32,
            coder=np.int32,
        )
        self._is_latest = np.zeros(0, np.bool_)
        self._until = 0
        """The latest instant at which any of them was made (µs)."""

    def refresh(self, db: apsw.Connection) -> slice:
        """Take in the rows that are new, and have them end those before them."""
        rows = super().refresh(db)
        if rows.stop == rows.start:
            return rows
        fresh = self["item"][rows]
        begun = np.zeros(int(fresh.max()) + 1, np.int64)
        begun[fresh] = self["position"][rows]
        self._is_latest = np.append(self._is_latest, np.ones(len(fresh), np.bool_))
        coded = np.flatnonzero(self["item"] < len(begun))
        coded = coded[self["position"][coded] < begun[self["item"][coded]]]
        self._is_latest[coded] = False
        self._until = max(self._until, int(self["since"][rows].max()))
        return rows

    def latest(self, as_of: int) -> Bools:
        """Say of each row whether it is of its item's latest coding at ``as_of`` (µs)."""
        if as_of >= self._until:
            return self._is_latest.copy()
        rows: Bools = self["since"] <= as_of
        position = np.zeros(int(self["item"].max(initial=0)) + 1, np.int64)
        position[self["item"][rows]] = self["position"][rows]
        rows &= self["position"] == position[self["item"]]
        return rows
