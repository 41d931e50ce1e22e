"""FunctionRegistry and AuthorityMatrix: which functions and authorities are there, what is open?"""

from collections.abc import Sequence
from typing import ClassVar

import apsw
from equiloop.customers.v1 import organisation_events_pb2 as events

from libs.projection import Fact, Folds, fold_each

MOST = 1000
"""Most names in an answer that has no pages."""


def _registered(db: apsw.Connection, event: events.FunctionRegistered, _: Fact) -> None:
    row = (event.function, event.head, event.parent)
    db.execute("INSERT INTO function VALUES (?, ?, ?)", row)
    _charge(db, event.function, event.journey_fragments)


def _changed(db: apsw.Connection, event: events.FunctionChanged, _: Fact) -> None:
    sql = "UPDATE function SET head = ?, parent = ? WHERE name = ?"
    db.execute(sql, (event.head, event.parent, event.function))
    db.execute("DELETE FROM journey_fragment_owner WHERE function = ?", (event.function,))
    _charge(db, event.function, event.journey_fragments)


def _charge(db: apsw.Connection, function: str, fragments: Sequence[str]) -> None:
    known = [(fragment,) for fragment in fragments]
    db.executemany("INSERT INTO journey_fragment VALUES (?) ON CONFLICT DO NOTHING", known)
    rows = [(fragment, function) for fragment in fragments]
    db.executemany("INSERT INTO journey_fragment_owner VALUES (?, ?)", rows)


class FunctionRegistry:
    """Functions by parent and head; fragments of the journey, and who answers for them."""

    name = "function_registry"
    version = 1
    tables = ("function", "journey_fragment", "journey_fragment_owner")
    schema = """
        CREATE TABLE IF NOT EXISTS function (
            name TEXT PRIMARY KEY,
            head TEXT NOT NULL,
            parent TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS function_by_parent ON function (parent, name);
        CREATE INDEX IF NOT EXISTS function_by_head ON function (head, name);
        CREATE TABLE IF NOT EXISTS journey_fragment (fragment TEXT PRIMARY KEY) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS journey_fragment_owner (
            fragment TEXT NOT NULL,
            function TEXT NOT NULL,
            PRIMARY KEY (fragment, function)
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS journey_fragment_by_owner ON journey_fragment_owner (function)
    """
    _folds: ClassVar[Folds] = {
        events.FunctionRegistered: _registered,
        events.FunctionChanged: _changed,
    }
    handles = frozenset(_folds)

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Keep every function as it now is, and every fragment that ever had an owner."""
        fold_each(self._folds, db, facts)


def _granted(db: apsw.Connection, event: events.AuthorityGranted, _: Fact) -> None:
    db.execute("INSERT INTO authority VALUES (?, ?)", (event.authority, event.manager))
    rows = [(event.authority, function) for function in event.functions or ("",)]
    db.executemany("INSERT INTO authority_scope VALUES (?, ?)", rows)


def _revoked(db: apsw.Connection, event: events.AuthorityRevoked, _: Fact) -> None:
    db.execute("DELETE FROM authority WHERE name = ?", (event.authority,))
    db.execute("DELETE FROM authority_scope WHERE authority = ?", (event.authority,))


class AuthorityMatrix:
    """Authorities that hold, by manager and by function (empty: everywhere)."""

    name = "authority_matrix"
    version = 1
    tables = ("authority", "authority_scope")
    schema = """
        CREATE TABLE IF NOT EXISTS authority (
            name TEXT PRIMARY KEY,
            manager TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS authority_by_manager ON authority (manager, name);
        CREATE TABLE IF NOT EXISTS authority_scope (
            authority TEXT NOT NULL,
            function TEXT NOT NULL,
            PRIMARY KEY (authority, function)
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS authority_by_function ON authority_scope (function, authority)
    """
    _folds: ClassVar[Folds] = {
        events.AuthorityGranted: _granted,
        events.AuthorityRevoked: _revoked,
    }
    handles = frozenset(_folds)

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Keep what was granted and not taken back."""
        fold_each(self._folds, db, facts)


def list_functions(
    db: apsw.Connection, *, after: str, limit: int, parent: str, head: str
) -> list[str]:
    """Answer the names of functions that come after the name ``after``."""
    sql = "SELECT name FROM function WHERE name > :after"
    if parent:
        sql += " AND parent = :parent"
    if head:
        sql += " AND head = :head"
    sql += " ORDER BY name LIMIT :limit"
    values = {"after": after, "limit": limit, "parent": parent, "head": head}
    return [name for (name,) in db.execute(sql, values)]


def count_functions(db: apsw.Connection) -> int:
    """Answer how many functions there are."""
    return int(db.execute("SELECT count(*) FROM function").get)


def without_head(db: apsw.Connection) -> list[str]:
    """Answer functions that nobody leads, at most MOST, by name."""
    sql = "SELECT name FROM function WHERE head = '' ORDER BY name LIMIT ?"
    return [name for (name,) in db.execute(sql, (MOST,))]


def fragments(db: apsw.Connection, owners: str) -> list[str]:
    """Answer fragments whose number of owners is as ``owners`` says (`= 0`), at most MOST."""
    sql = f"""
        SELECT fragment FROM journey_fragment f
        WHERE (SELECT count(*) FROM journey_fragment_owner o WHERE o.fragment = f.fragment) {owners}
        ORDER BY fragment LIMIT ?
    """
    return [fragment for (fragment,) in db.execute(sql, (MOST,))]


def list_authorities(
    db: apsw.Connection, *, after: str, limit: int, manager: str, function: str
) -> list[str]:
    """Answer the names of authorities that hold and come after the name ``after``."""
    sql = "SELECT name FROM authority WHERE name > :after"
    if manager:
        sql += " AND manager = :manager"
    if function:
        sql += (
            " AND name IN (SELECT authority FROM authority_scope WHERE function IN ('', :function))"
        )
    sql += " ORDER BY name LIMIT :limit"
    values = {"after": after, "limit": limit, "manager": manager, "function": function}
    return [name for (name,) in db.execute(sql, values)]
