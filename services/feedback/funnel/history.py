"""All facts about feedback in columns, brought up to date all the time and before each answer."""

import json
import threading

import apsw
import numpy as np

from services.feedback.funnel.codings import Codings
from services.feedback.funnel.standing import Standing, standing, tell
from services.feedback.funnel.table import Bools, Ints, Table
from services.feedback.views.facts import ALWAYS


class History:
    """A mirror of the facts that the view keeps; about 150 bytes an item.

    It is looked at from threads, one question after the other (``lock``).
    """

    def __init__(self, db: apsw.Connection) -> None:
        """Read from ``db``, a connection that nobody else uses."""
        self.lock = threading.Lock()
        self._db = db
        self.items = Table(
            "item",
            receive_time=np.int64,
            channel=np.int8,
            customer=np.int32,
            scale=np.int8,
            score=np.int8,
        )
        self.authors = Table("author", item=np.int32, customer=np.int32)
        self.links = Table("linking", item=np.int64, act=np.int32, since=np.int64)
        self.states = Table("stand", act=np.int64, state=np.int8, since=np.int64)
        self.tellings = Table("telling", item=np.int64, act=np.int32, told=np.int64, since=np.int64)
        self.codings = Codings()
        self.findings = Table("finding", item=np.int32, cause=np.int8)
        self.routings = Table("routing", item=np.int32, function=np.int32)
        self.acts = Table("act", owner=np.int32, kind=np.int8)
        self.labels = Table("label", customer=np.int32, segment=np.int32, position=np.int64)
        self._present = Standing.of(0)

    def keep_up(self) -> None:
        """Refresh while nobody asks: so that whoever does waits for little."""
        with self.lock:
            self.refresh()

    def refresh(self) -> None:
        """Take in what happened since the last time; the lock is held."""
        with self._db:
            new = {
                name: getattr(self, name).refresh(self._db)
                for name in ("items", "acts", "links", "states", "tellings", "codings")
            }
            rows = self.authors.refresh(self._db)
            self.items["customer"][self.authors["item"][rows] - 1] = self.authors["customer"][rows]
            self.routings.refresh(self._db)
            self.labels.refresh(self._db)
            self.findings.refresh(self._db)
        if any(rows.stop > rows.start for rows in new.values()):
            self._renew(new["links"], new["states"], new["tellings"])

    def _renew(self, links: slice, states: slice, tellings: slice) -> None:
        size = self.items.size
        touched = np.zeros(size, np.bool_)
        touched[self.links["item"][links] - 1] = True
        touched[self.tellings["item"][tellings] - 1] = True
        moved = np.zeros(self.acts.size + 1, np.bool_)
        moved[self.states["act"][states]] = True
        touched[self.links["item"][moved[self.links["act"]]] - 1] = True
        self._present = self._present.renewed(touched, self._standing(ALWAYS, touched))

    def standing(self, as_of: int) -> Standing:
        """Answer how far each item came by ``as_of`` (µs)."""
        latest = max(int(table["since"].max(initial=0)) for table in self._dated())
        return self._present if as_of >= latest else self._standing(as_of, None)

    def _dated(self) -> tuple[Table, ...]:
        return self.links, self.states, self.tellings

    def _standing(self, as_of: int, among: Bools | None) -> Standing:
        return standing(self.items.size, *self._dated(), as_of=as_of, among=among)

    def told_by(self, acts: Bools, as_of: int) -> Ints:
        """Answer when each item was told (µs) of one of ``acts``; NEVER: none of that holds."""
        tellings = self.tellings
        rows = acts[tellings["act"] - 1]
        some = {key: tellings[key][rows] for key in ("item", "act", "told", "since")}
        answer = Standing.of(self.items.size)
        tell(answer, some, as_of, None)
        return answer.told

    def codings_of(self, items: Bools, as_of: int) -> tuple[Ints, Ints]:
        """Answer (item, theme) for each theme of ``items`` by the latest coding at ``as_of``."""
        codings = self.codings
        rows = codings.latest(as_of) & (codings["theme"] > 0)
        rows &= items[codings["item"] - 1]
        return codings["item"][rows], codings["theme"][rows]

    def words(self, numbers: Ints) -> dict[int, str]:
        """Answer themes, segments, functions or customers by their row numbers; 0 is nameless."""
        sql = "SELECT n, name FROM word WHERE n IN (SELECT value FROM json_each(?))"
        return {0: "", **dict(self._db.execute(sql, (json.dumps(numbers.tolist()),)))}

    def number(self, word: str) -> int:
        """Answer the row number of a theme, segment, function or customer; -1: never heard of."""
        found = self._db.execute("SELECT n FROM word WHERE name = ?", (word,)).get
        return -1 if found is None else int(found)

    def word(self, number: int) -> str:
        """Answer the theme, segment, function, customer or coder of a row number."""
        return str(self._db.execute("SELECT name FROM word WHERE n = ?", (number,)).get)

    def about(self, theme: str, as_of: int) -> Bools:
        """Say of each item whether it was about ``theme`` by its latest coding at ``as_of``."""
        codings = self.codings
        rows = codings.latest(as_of) & (codings["theme"] == self.number(theme))
        return self._marked(np.compress(rows, codings["item"]))

    def within(self, segment: str, among: Bools) -> Bools:
        """Say of each item ``among`` those whether its author is labelled with ``segment`` now."""
        labels = self.labels
        known = int(max(self.items["customer"].max(initial=0), labels["customer"].max(initial=0)))
        latest = np.zeros(known + 1, np.int64)
        latest[labels["customer"]] = labels["position"]
        rows = labels["segment"] == self.number(segment)
        rows &= labels["position"] == latest[labels["customer"]]
        members = np.zeros(known + 1, np.bool_)
        members[labels["customer"][rows]] = True
        members[0] = False
        items = np.flatnonzero(among)
        found = np.zeros_like(among)
        found[items[members[self.items["customer"][items]]]] = True
        return found

    def of_function(self, function: str) -> Bools:
        """Say of each item whether ``function`` answers for it: it holds it, or owns an action."""
        number, holder = self.number(function), np.zeros(self.items.size, np.int64)
        holder[self.routings["item"] - 1] = self.routings["function"]
        owned = np.append(False, self.acts["owner"] == number)
        found: Bools = holder == number
        found |= self._marked(np.compress(owned[self.links["act"]], self.links["item"]))
        return found

    def _marked(self, items: Ints) -> Bools:
        answer = np.zeros(self.items.size, np.bool_)
        answer[items - 1] = True
        return answer
