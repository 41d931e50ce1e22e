"""FeedbackInbox: which feedback is there, from whom, about what? The words stay in the log."""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import apsw
from equiloop.feedback.v1 import events_pb2 as events

from libs.projection import Fact, Folds, fold_each


def micros(timestamp: Any) -> int:
    """Answer a Timestamp in microseconds, as tables keep time."""
    return int(timestamp.seconds * 1_000_000 + timestamp.nanos // 1000)


def _row(fact: Fact, event: events.FeedbackReceived) -> tuple[str, int, str, int, int]:
    received = micros(event.receive_time)
    return event.feedback, fact.recorded.position, event.customer, event.channel, received


def _attributed(db: apsw.Connection, event: events.FeedbackAttributed, _: Fact) -> None:
    db.execute("UPDATE feedback SET customer = ? WHERE name = ?", (event.customer, event.feedback))


def _coded(db: apsw.Connection, event: events.FeedbackCoded, _: Fact) -> None:
    db.execute("DELETE FROM theme WHERE feedback = ?", (event.feedback,))
    db.executemany(
        "INSERT INTO theme VALUES (?, ?)", [(theme, event.feedback) for theme in event.themes]
    )


class FeedbackInbox:
    """Feedback in the order in which it was recorded, by customer, theme or channel."""

    name = "feedback_inbox"
    by_stream = True
    version = 2
    tables = ("feedback", "theme")
    schema = """
        CREATE TABLE IF NOT EXISTS feedback (
            name TEXT PRIMARY KEY,
            position INTEGER NOT NULL UNIQUE,
            customer TEXT NOT NULL,
            channel INTEGER NOT NULL,
            receive_time INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS feedback_by_customer ON feedback (customer, position);
        CREATE INDEX IF NOT EXISTS feedback_by_time ON feedback (receive_time, position);
        CREATE TABLE IF NOT EXISTS theme (
            theme TEXT NOT NULL,
            feedback TEXT NOT NULL,
            PRIMARY KEY (theme, feedback)
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS theme_by_feedback ON theme (feedback)
    """
    _later: ClassVar[Folds] = {
        events.FeedbackAttributed: _attributed,
        events.FeedbackCoded: _coded,
    }
    handles = frozenset(_later) | {events.FeedbackReceived}

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Keep what was received, its latest author, and the themes of its latest coding."""
        received = [
            _row(fact, fact.event)
            for fact in facts
            if isinstance(fact.event, events.FeedbackReceived)
        ]
        db.executemany("INSERT INTO feedback VALUES (?, ?, ?, ?, ?)", received)
        later = [fact for fact in facts if not isinstance(fact.event, events.FeedbackReceived)]
        fold_each(self._later, db, later)


class Received(NamedTuple):
    """Feedback by when it was received (µs) and where it stands in the log."""

    receive_time: int
    position: int
    name: str


def list_received(
    db: apsw.Connection, *, after: tuple[int, int], until: int, limit: int
) -> list[Received]:
    """Answer feedback received after (receive_time, position), before ``until``, by time."""
    sql = """
        SELECT receive_time, position, name FROM feedback
        WHERE (receive_time, position) > (?, ?) AND receive_time < ?
        ORDER BY receive_time, position LIMIT ?
    """
    return [Received(*row) for row in db.execute(sql, (*after, until, limit))]


def list_names(
    db: apsw.Connection, *, after: int, limit: int, customer: str, theme: str, channel: int
) -> list[tuple[int, str]]:
    """Answer (position, name) of feedback recorded after position ``after``."""
    sql = "SELECT position, name FROM feedback WHERE position > :after"
    if customer:
        sql += " AND customer = :customer"
    if channel:
        sql += " AND channel = :channel"
    if theme:
        sql += " AND name IN (SELECT feedback FROM theme WHERE theme = :theme)"
    sql += " ORDER BY position LIMIT :limit"
    values = {
        "after": after,
        "customer": customer,
        "channel": channel,
        "theme": theme,
        "limit": limit,
    }
    return list(db.execute(sql, values))
