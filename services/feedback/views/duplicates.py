"""Duplicates: which feedback says nearly the same? Grouped, never merged; words stay in the log."""

import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import apsw
from equiloop.feedback.v1 import events_pb2 as events

from libs.projection import Fact
from services.feedback.views.sketch import Sketch, bands, similarity, sketch

SIMILAR = 0.5
"""The Jaccard similarity from which on two texts are near-duplicates."""

GENERATION = 32_768
"""First items in one of the two halves of the index; when one is full the older half goes."""

_NEAR = "SELECT key, leader FROM band_{half} WHERE key IN (SELECT value FROM json_each(?))"
_WORDING = """
    SELECT feedback, sketch FROM wording_0 WHERE leader = ?1
    UNION ALL SELECT feedback, sketch FROM wording_1 WHERE leader = ?1
"""
_ADD = """
    INSERT OR REPLACE INTO band_{half}
    SELECT value ->> 0, value ->> 1 FROM json_each(?) WHERE true
"""


class _Item(NamedTuple):
    position: int
    feedback: str
    sketch: Sketch
    keys: list[int]


class _Index:
    """First items by what their words have in common: two halves, the older goes when one is full.

    So its pages fit into memory, however long the log is. It is read and written once for many
    items, and says the same as if that were done for each.
    """

    def __init__(self, db: apsw.Connection, items: Sequence[_Item]) -> None:
        """Read what ``items`` may be near to."""
        self._db = db
        row: Any = db.execute("SELECT half, leaders FROM duplicate_index").get or (0, 0)
        self._half, self._leaders = row
        keys = json.dumps([key for item in items for key in item.keys])
        self._near: list[dict[int, int]] = [
            dict(db.execute(_NEAR.format(half=half), (keys,))) for half in (0, 1)
        ]
        self._new: dict[int, _Item] = {}

    def nearest(self, item: _Item) -> tuple[float, _Item | None]:
        """Answer the first item that ``item`` is most similar to; the earlier of equal ones."""
        best, found = 0.0, None
        near = {half[key] for half in self._near for key in item.keys if key in half}
        for leader in sorted(near):
            first = self._new.get(leader) or self._kept(leader)
            alike = similarity(item.sketch, first.sketch)
            if alike > best:
                best, found = alike, first
        return best, found

    def _kept(self, leader: int) -> _Item:
        row: Any = self._db.execute(_WORDING, (leader,)).fetchall()[0]
        return _Item(leader, row[0], array("I", row[1]), [])

    def add(self, item: _Item) -> None:
        """Have ``item`` looked for from now on."""
        if self._leaders == GENERATION:
            self.write()
            self._half, self._leaders = 1 - self._half, 0
            self._near[self._half].clear()
            self._db.execute(f"DELETE FROM band_{self._half}; DELETE FROM wording_{self._half}")
        self._near[self._half].update(dict.fromkeys(item.keys, item.position))
        self._new[item.position] = item
        self._leaders += 1

    def keep(self, item: _Item) -> None:
        """Have a first item whose group still grows stay when the older half goes."""
        sql = f"SELECT 1 FROM wording_{self._half} WHERE leader = ?"
        if item.position in self._new or self._db.execute(sql, (item.position,)).get:
            return
        (keys,) = bands([item.sketch])
        self.add(item._replace(keys=keys))

    def write(self) -> None:
        """Write what was added, and how far the half is filled."""
        wordings = [
            (i.position, i.feedback, array("I", i.sketch).tobytes()) for i in self._new.values()
        ]
        self._db.executemany(f"INSERT INTO wording_{self._half} VALUES (?, ?, ?)", wordings)
        rows = {key: item.position for item in self._new.values() for key in item.keys}
        self._db.execute(_ADD.format(half=self._half), (json.dumps(sorted(rows.items())),))
        self._new.clear()
        row = (self._half, self._leaders)
        self._db.execute("INSERT OR REPLACE INTO duplicate_index VALUES (1, ?, ?)", row)


class Duplicates:
    """Groups of near-duplicates, and the index by which they are found."""

    name = "duplicates"
    version = 1
    tables = ("duplicate", "duplicate_group")
    schema = """
        CREATE TABLE IF NOT EXISTS duplicate (
            leader INTEGER NOT NULL,
            position INTEGER NOT NULL,
            feedback TEXT NOT NULL,
            similarity REAL NOT NULL,
            PRIMARY KEY (leader, position)
        ) WITHOUT ROWID;
        CREATE UNIQUE INDEX IF NOT EXISTS duplicate_by_feedback ON duplicate (feedback);
        CREATE TABLE IF NOT EXISTS duplicate_group (
            leader INTEGER PRIMARY KEY,
            first TEXT NOT NULL,
            items INTEGER NOT NULL,
            last INTEGER NOT NULL
        );
        CREATE INDEX IF NOT EXISTS duplicate_by_size ON duplicate_group (items DESC, leader);
        CREATE INDEX IF NOT EXISTS duplicate_by_last ON duplicate_group (last);
        CREATE TABLE IF NOT EXISTS duplicate_index (
            one INTEGER PRIMARY KEY, half INTEGER NOT NULL, leaders INTEGER NOT NULL
        );
    """ + ";".join(
        f"""
        CREATE TABLE IF NOT EXISTS wording_{half} (
            leader INTEGER PRIMARY KEY, feedback TEXT NOT NULL, sketch BLOB NOT NULL
        );
        CREATE TABLE IF NOT EXISTS band_{half} (
            key INTEGER PRIMARY KEY, leader INTEGER NOT NULL
        )
        """
        for half in (0, 1)
    )
    handles = frozenset({events.FeedbackReceived})

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Put each item into the group of the first item it is most similar to, if there is one."""
        items = _items(facts)
        index = _Index(db, items)
        for item in items:
            alike, first = index.nearest(item)
            if first is None or alike < SIMILAR:
                index.add(item)
            else:
                _join(db, first, item, alike)
                index.keep(first)
        index.write()


def _items(facts: Sequence[Fact]) -> list[_Item]:
    """Answer what has words enough; the keys of all of them are computed at once."""
    made = [
        (fact.recorded.position, fact.event.feedback, sketch(fact.event.text))
        for fact in facts
        if isinstance(fact.event, events.FeedbackReceived)
    ]
    enough = [(position, name, hashes) for position, name, hashes in made if hashes is not None]
    keys = bands([hashes for _, _, hashes in enough])
    return [_Item(*each, found) for each, found in zip(enough, keys, strict=True)]


def _join(db: apsw.Connection, first: _Item, item: _Item, alike: float) -> None:
    db.execute(
        "INSERT OR IGNORE INTO duplicate VALUES (?1, ?1, ?2, 1)", (first.position, first.feedback)
    )
    row = (first.position, item.position, item.feedback, alike)
    db.execute("INSERT INTO duplicate VALUES (?, ?, ?, ?)", row)
    sql = """
        INSERT INTO duplicate_group VALUES (?, ?, 2, ?)
        ON CONFLICT DO UPDATE SET items = items + 1, last = excluded.last
    """
    db.execute(sql, (first.position, first.feedback, item.position))


@dataclass(frozen=True, slots=True)
class Member:
    """One item of a group; ``receive_time`` in µs."""

    position: int
    feedback: str
    customer: str
    receive_time: int
    similarity: float


def members(
    db: apsw.Connection, feedback: str, *, after: int, limit: int
) -> tuple[int, list[Member]]:
    """Answer the size of the group of one item, and its items after a position, in log order."""
    leader = db.execute("SELECT leader FROM duplicate WHERE feedback = ?", (feedback,)).get
    if leader is None:
        return 0, []
    size = db.execute("SELECT items FROM duplicate_group WHERE leader = ?", (leader,)).get
    sql = """
        SELECT d.position, d.feedback, f.customer, f.receive_time, d.similarity
        FROM duplicate d JOIN feedback f ON f.name = d.feedback
        WHERE d.leader = ? AND d.position > ? ORDER BY d.position LIMIT ?
    """
    return size, [Member(*row) for row in db.execute(sql, (leader, after, limit))]


@dataclass(frozen=True, slots=True)
class Group:
    """Near-duplicates of the item recorded at ``leader``, called ``first``."""

    leader: int
    first: str
    items: int


def newest(db: apsw.Connection) -> int:
    """Answer up to which position groups have grown."""
    return int(db.execute("SELECT ifnull(max(last), 0) FROM duplicate_group").get)


def groups(
    db: apsw.Connection, *, until: int, after: tuple[int, int] | None, limit: int
) -> list[Group]:
    """Answer groups as they were at the position ``until``, after (items, leader): largest first.

    Groups only grow. Those that have not since are read by size; the others are counted again.
    """
    sql = """
        SELECT leader, first, items FROM (
            SELECT leader, first, items FROM duplicate_group
            WHERE last <= :until
            AND items <= :items AND (items < :items OR leader > :leader)
            ORDER BY items DESC, leader LIMIT :limit
        )
        UNION ALL
        SELECT g.leader, g.first, count(*) AS items
        FROM duplicate_group g JOIN duplicate d ON d.leader = g.leader AND d.position <= :until
        WHERE g.last > :until GROUP BY g.leader
        HAVING count(*) >= 2
        AND (count(*) < :items OR count(*) = :items AND g.leader > :leader)
        ORDER BY items DESC, leader LIMIT :limit
    """
    items, leader = after or (1 << 62, 0)
    values = {"until": until, "items": items, "leader": leader, "limit": limit}
    return [Group(*row) for row in db.execute(sql, values)]


def heads(db: apsw.Connection, leader: int, *, until: int) -> set[str]:
    """Answer the distinct known customers of a group as it was at the position ``until``."""
    sql = """
        SELECT DISTINCT f.customer FROM duplicate d JOIN feedback f ON f.name = d.feedback
        WHERE d.leader = ? AND d.position <= ? AND f.customer != ''
    """
    return {customer for (customer,) in db.execute(sql, (leader, until))}
