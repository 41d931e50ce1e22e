"""CustomerTimeline: what happened between this customer and us, from every context?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import apsw
from equiloop.feedback.v1 import events_pb2 as feedback

from libs.projection import Fact
from services.customers.views.happenings import OF_CUSTOMER, OF_FEEDBACK, Happening, whose

Row = tuple[str, int, int, str, str, str, bytes]


class CustomerTimeline:
    """What happened, customer by customer in log order; and who said which piece of feedback.

    What was said by nobody known stands under no name, and moves once its author is found.
    """

    name = "customer_timeline"
    version = 6
    tables = ("timeline", "author")
    schema = """
        CREATE TABLE IF NOT EXISTS timeline (
            customer TEXT NOT NULL,
            position INTEGER NOT NULL,
            time INTEGER NOT NULL,
            type TEXT NOT NULL,
            resource TEXT NOT NULL,
            summary TEXT NOT NULL,
            event BLOB NOT NULL,
            PRIMARY KEY (customer, position)
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS timeline_unknown ON timeline (resource) WHERE customer = '';
        CREATE TABLE IF NOT EXISTS author (
            feedback TEXT PRIMARY KEY,
            customer TEXT NOT NULL
        ) WITHOUT ROWID
    """
    handles = frozenset(OF_CUSTOMER) | frozenset(OF_FEEDBACK)

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Write all entries of a batch at once.

        Authors come first: an action names only feedback that was received before it.
        """
        said = (fact.event for fact in facts if isinstance(fact.event, feedback.FeedbackReceived))
        authors = [(event.feedback, event.customer) for event in said if event.customer]
        db.executemany("INSERT INTO author VALUES (?, ?)", authors)
        rows: list[Row] = []
        for fact in facts:
            tell = OF_CUSTOMER.get(type(fact.event))
            if isinstance(fact.event, feedback.FeedbackAttributed):
                _write(db, rows)
                _move(db, fact.event)
            if tell is not None:
                rows.append(_row(whose(fact.event), fact, tell(fact.event)))
            else:
                happening = OF_FEEDBACK[type(fact.event)](fact.event)
                rows.extend(_row(author, fact, happening) for author in _authors(db, fact))
        _write(db, rows)


def _write(db: apsw.Connection, rows: list[Row]) -> None:
    db.executemany("INSERT INTO timeline VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    rows.clear()


def _move(db: apsw.Connection, event: feedback.FeedbackAttributed) -> None:
    """Put what was said under the name of its author, away from whoever was thought to be."""
    db.execute("INSERT OR REPLACE INTO author VALUES (?, ?)", (event.feedback, event.customer))
    if event.previous_customer:
        sql = "UPDATE timeline SET customer = ? WHERE customer = ? AND resource = ?"
        db.execute(sql, (event.customer, event.previous_customer, event.feedback))
    else:  # the index of what is nobody's
        sql = "UPDATE timeline SET customer = ? WHERE customer = '' AND resource = ?"
        db.execute(sql, (event.customer, event.feedback))


def _row(customer: str, fact: Fact, happening: Happening) -> Row:
    recorded = fact.recorded
    time = happening.time.seconds * 1_000_000 + happening.time.nanos // 1000
    return (
        customer,
        recorded.position,
        time,
        recorded.type,
        happening.resource,
        happening.summary,
        recorded.id.bytes,
    )


def _authors(db: apsw.Connection, fact: Fact) -> Iterable[str]:
    """Answer the distinct customers behind the feedback that an event names."""
    named: str | Sequence[str] = fact.event.feedback  # type: ignore[attr-defined]
    names = [named] if isinstance(named, str) else named
    sql = "SELECT customer FROM author WHERE feedback = ?"
    found = [db.execute(sql, (name,)).get for name in names]
    return dict.fromkeys(customer for customer in found if customer)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened; ``time`` is in microseconds."""

    position: int
    time: int
    type: str
    resource: str
    summary: str
    event: UUID


def list_entries(db: apsw.Connection, customer: str, *, after: int, limit: int) -> list[Entry]:
    """Answer what happened to ``customer`` after position ``after``, in log order."""
    sql = """
        SELECT position, time, type, resource, summary, event FROM timeline
        WHERE customer = ? AND position > ? ORDER BY position LIMIT ?
    """
    rows = db.execute(sql, (customer, after, limit))
    return [
        Entry(position, time, type_, resource, summary, UUID(bytes=event))
        for position, time, type_, resource, summary, event in rows
    ]
