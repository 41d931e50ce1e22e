"""Duplicates: which feedback says nearly the same? Grouped, never merged; words stay in the log."""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import apsw
from equiloop.feedback.v1 import events_pb2 as events

from libs.projection import Fact
from services.feedback.views.firsts import WINDOW, First, Firsts, Places, places
from services.feedback.views.sketch import Sketch, bands, sketch

SIMILAR = 0.5
"""The Jaccard similarity from which on two texts are near-duplicates."""

_CHUNK = 1024
"""First items that are read back at a time."""


class Duplicates:
    """Groups of near-duplicates, and the first items among which they are looked for.

    These are mirrored in memory, and read again where rows and mirror are not of one mind: after
    a start, and after a transaction that was rolled back.
    """

    name = "duplicates"
    version = 2
    tables = ("duplicate", "duplicate_group", "wording")
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
        CREATE TABLE IF NOT EXISTS wording (
            number INTEGER PRIMARY KEY,
            leader INTEGER NOT NULL,
            feedback TEXT NOT NULL,
            sketch BLOB NOT NULL
        );
    """
    handles = frozenset({events.FeedbackReceived})

    def __init__(self, window: int = WINDOW) -> None:
        """Look among the latest ``window`` first items."""
        self._window = window
        self._mirrored: tuple[apsw.Connection, Firsts] | None = None

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Put each item into the group of the first item it is most similar to, if there is one."""
        firsts = self._firsts(db)
        before = firsts.last
        added, joined, moved = list[First](), list[_Joined](), list[int]()
        for position, feedback, said, where in _items(facts):
            alike, first = firsts.nearest(said, where)
            if first is None or alike < SIMILAR:
                first = First(0, position, feedback, array("I", said))
                firsts.add(first, where)
                added.append(first)
                continue
            joined.append(_Joined(first, position, feedback, alike))
            if firsts.is_old(first):  # its group still grows: it shall be found a while longer
                moved.append(first.number)
                firsts.add(first, places(bands([first.sketch]))[0])
                added.append(first)
        _join(db, joined)
        if firsts.last > before:
            _mirror(db, added, moved, firsts.last - self._window)

    def _firsts(self, db: apsw.Connection) -> Firsts:
        last = db.execute("SELECT ifnull(max(number), 0) FROM wording").get
        if self._mirrored is None or self._mirrored[0] is not db or self._mirrored[1].last != last:
            self._mirrored = db, _read(db, Firsts(self._window))
        return self._mirrored[1]


class _Joined(NamedTuple):
    first: First
    position: int
    feedback: str
    similarity: float


def _items(facts: Sequence[Fact]) -> list[tuple[int, str, Sketch, Places]]:
    """Answer what has words enough; the keys of all of them are computed at once."""
    made = [
        (fact.recorded.position, fact.event.feedback, sketch(fact.event.text))
        for fact in facts
        if isinstance(fact.event, events.FeedbackReceived)
    ]
    enough = [(position, name, hashes) for position, name, hashes in made if hashes is not None]
    where = places(bands([hashes for _, _, hashes in enough]))
    return [(*each, found) for each, found in zip(enough, where, strict=True)]


def _read(db: apsw.Connection, firsts: Firsts) -> Firsts:
    """Fill ``firsts`` with what is kept of them."""
    rows = db.execute("SELECT number, leader, feedback, sketch FROM wording ORDER BY number")
    while some := list(islice(rows, _CHUNK)):
        found = [First(row[0], row[1], row[2], array("I", row[3])) for row in some]
        for first, where in zip(found, places(bands([each.sketch for each in found])), strict=True):
            firsts.last = first.number - 1
            firsts.add(first, where)
    return firsts


def _mirror(db: apsw.Connection, added: list[First], moved: list[int], old: int) -> None:
    """Keep what was ``added``, let go of what was ``moved`` from, and of all up to ``old``."""
    db.executemany("DELETE FROM wording WHERE number = ?", [(number,) for number in moved])
    rows = {first.number: first for first in added}
    db.executemany(
        "INSERT INTO wording VALUES (?, ?, ?, ?)",
        [(n, first.position, first.feedback, first.sketch.tobytes()) for n, first in rows.items()],
    )
    db.execute("DELETE FROM wording WHERE number <= ?", (old,))


def _join(db: apsw.Connection, joined: list[_Joined]) -> None:
    """Add items to the groups of their first items, which begin with the second."""
    firsts = {each.first.position: each.first.feedback for each in joined}
    db.executemany("INSERT OR IGNORE INTO duplicate VALUES (?1, ?1, ?2, 1)", firsts.items())
    db.executemany(
        "INSERT INTO duplicate VALUES (?, ?, ?, ?)",
        [(each.first.position, *each[1:]) for each in joined],
    )
    counts = Counter(each.first.position for each in joined)
    latest = {each.first.position: each.position for each in joined}
    db.executemany(
        """
        INSERT INTO duplicate_group VALUES (?1, ?2, 1 + ?3, ?4)
        ON CONFLICT DO UPDATE SET items = items + ?3, last = ?4
        """,
        [(leader, firsts[leader], counts[leader], latest[leader]) for leader in firsts],
    )


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
