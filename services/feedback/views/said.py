"""What the market said in a window: feedback by theme, its sentiment, and deadlines missed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import apsw
from equiloop.feedback.v1 import events_pb2 as feedback
from equiloop.feedback.v1 import routing_events_pb2 as routing

from libs.projection import Fact
from services.feedback.views.inbox import micros


class MarketSaid:
    """The sentiment of feedback by its latest coding (NULL: it says none), and missed deadlines."""

    name = "market_said"
    version = 1
    tables = ("sentiment", "missed_deadline")
    schema = """
        CREATE TABLE IF NOT EXISTS sentiment (
            feedback TEXT PRIMARY KEY,
            sentiment REAL
        ) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS missed_deadline (
            function TEXT NOT NULL,
            time INTEGER NOT NULL,
            position INTEGER NOT NULL,
            PRIMARY KEY (function, time, position)
        ) WITHOUT ROWID
    """
    handles = frozenset({feedback.FeedbackCoded, routing.LoopSlaBreached})

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Keep the latest sentiment, and whose deadline passed when."""
        coded: list[tuple[str, float | None]] = []
        missed: list[tuple[str, int, int]] = []
        for fact in facts:
            match fact.event:
                case feedback.FeedbackCoded() as event:
                    felt = None if event.without_sentiment else event.sentiment
                    coded.append((event.feedback, felt))
                case routing.LoopSlaBreached() as event:
                    position = fact.recorded.position
                    missed.append((event.function, micros(event.deadline), position))
        db.executemany("INSERT OR REPLACE INTO sentiment VALUES (?, ?)", coded)
        db.executemany("INSERT INTO missed_deadline VALUES (?, ?, ?)", missed)


@dataclass(frozen=True, slots=True)
class Said:
    """Feedback received in a window, and the mean sentiment of those that were coded."""

    received: int
    coded: int
    sentiment: float | None


@dataclass(frozen=True, slots=True)
class Window:
    """What is asked about: [start, end) in microseconds; no themes: all feedback."""

    start: int
    end: int
    only_themes: tuple[str, ...] = ()

    def values(self) -> dict[str, int | str]:
        """Answer the values of the statements below."""
        return {"start": self.start, "end": self.end, "only": json.dumps(self.only_themes)}


_ABOUT = "t.theme IN (SELECT value FROM json_each(:only))"
_SAID = """
    FROM feedback f LEFT JOIN sentiment s ON s.feedback = f.name
    WHERE f.receive_time >= :start AND f.receive_time < :end
"""


def said(db: apsw.Connection, window: Window) -> Said:
    """Answer how much was said in the window, and how it felt."""
    narrowed = _narrowed(window, "f.name")
    sql = f"SELECT count(*), count(s.sentiment), avg(s.sentiment) {_SAID} {narrowed}"
    return Said(*next(iter(db.execute(sql, window.values()))))


def said_by_theme(db: apsw.Connection, window: Window) -> dict[str, Said]:
    """Answer the same theme by theme."""
    narrowed = f"AND {_ABOUT}" if window.only_themes else ""
    sql = f"""
        SELECT t.theme, count(*), count(s.sentiment), avg(s.sentiment)
        FROM feedback f JOIN theme t ON t.feedback = f.name
        LEFT JOIN sentiment s ON s.feedback = f.name
        WHERE f.receive_time >= :start AND f.receive_time < :end {narrowed}
        GROUP BY t.theme ORDER BY t.theme
    """
    return {theme: Said(*rest) for theme, *rest in db.execute(sql, window.values())}


def open_customers(db: apsw.Connection, window: Window) -> list[tuple[str, int]]:
    """Answer (customer, open items), whenever they were received; an unknown customer is empty."""
    sql = f"""
        SELECT customer, count(*) FROM loop
        WHERE closed IS NULL {_narrowed(window, "feedback")}
        GROUP BY customer ORDER BY customer
    """
    return list(db.execute(sql, window.values()))


def _narrowed(window: Window, column: str) -> str:
    if not window.only_themes:
        return ""
    return f"AND {column} IN (SELECT t.feedback FROM theme t WHERE {_ABOUT})"


def missed_deadlines(db: apsw.Connection, function: str, window: Window) -> int:
    """Answer how many deadlines of the window a function missed."""
    sql = """
        SELECT count(*) FROM missed_deadline
        WHERE function = :function AND time >= :start AND time < :end
    """
    return int(db.execute(sql, {**window.values(), "function": function}).get)


def validated_needs(db: apsw.Connection, window: Window) -> list[tuple[str, str, int]]:
    """Answer (need, title, feedback items) of needs validated in the window, the latest first."""
    sql = """
        SELECT name, title, (SELECT count(*) FROM need_evidence e WHERE e.need = n.name)
        FROM need n WHERE validated >= :start AND validated < :end
        ORDER BY validated DESC, position DESC
    """
    return list(db.execute(sql, window.values()))
