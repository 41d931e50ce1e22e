"""FeedbackToAction, the facts of it: what happened to feedback, one row a fact, never changed.

A funnel is asked for any window, any filter, and as of any instant, over a million items. No index
answers that, a scan of columns does (``services.feedback.funnel``). So rows are only added here:
what held until something else happened is told by the row that comes after it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import apsw
from equiloop.customers.v1 import events_pb2 as customers
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import routing_events_pb2 as routing
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from libs.projection import Fact
from services.feedback.views.inbox import micros

NEVER = (1 << 63) - 1
"""When, in microseconds, what did not happen happens."""

ALWAYS = NEVER - 1
"""An instant after all that happens."""

MILLION = 1_000_000
"""Sentiments are kept in millionths, so that their sums are exact."""

NO_SENTIMENT = 2 * MILLION
"""What stands for the sentiment of a coding that says nothing of it."""

ESCALATED, COMMITTED, COMPLETED, DECLINED = range(4)
"""How an action stands."""

Row = tuple[str, tuple[Any, ...]]
"""A row to be added: the name of its statement, and its values."""

_WORD, _ITEM, _ACT = (
    f"(SELECT n FROM {table} WHERE name = ?)" for table in ("word", "item", "act")
)
_ADD = {
    "word": "INSERT OR IGNORE INTO word (name) VALUES (?)",
    "item": "INSERT INTO item (name, receive_time, channel, scale, score, customer) "
    f"VALUES (?, ?, ?, ?, ?, ifnull({_WORD}, 0))",
    "act": f"INSERT OR IGNORE INTO act (name, owner, kind) VALUES (?, {_WORD}, ?)",
    "author": f"INSERT INTO author (item, customer) VALUES ({_ITEM}, {_WORD})",
    "coding": "INSERT INTO coding (position, since, sentiment, item, theme, coder) "
    f"VALUES (?, ?, ?, {_ITEM}, ifnull({_WORD}, 0), {_WORD})",
    "finding": f"INSERT INTO finding (cause, item) VALUES (?, {_ITEM})",
    "link": f"INSERT INTO linking (since, item, act) VALUES (?, {_ITEM}, {_ACT})",
    "stand": f"INSERT INTO stand (since, act, state) VALUES (?, {_ACT}, ?)",
    "telling": f"INSERT INTO telling (since, told, item, act) VALUES (?, ?, {_ITEM}, {_ACT})",
    "routing": f"INSERT INTO routing (item, function) VALUES ({_ITEM}, ifnull({_WORD}, 0))",
    "label": "INSERT INTO label (position, customer, segment) "
    f"VALUES (?, {_WORD}, ifnull({_WORD}, 0))",
}
"""Run in this order: rows come after those that they name."""


def _received(event: events.FeedbackReceived, _: int) -> Iterator[Row]:
    yield from _words(event.customer)
    received, score = micros(event.receive_time), event.score
    said = (event.channel, score.scale, score.value)
    yield "item", (event.feedback, received, *said, event.customer)


def _attributed(event: events.FeedbackAttributed, _: int) -> Iterator[Row]:
    yield from _words(event.customer)
    yield "author", (event.feedback, event.customer)


def _coded(event: events.FeedbackCoded, position: int) -> Iterator[Row]:
    """A coding about nothing has a row, too: it ends the one before."""
    coder = coder_word(event.coder.name, event.coder.version)
    yield from _words(coder, *event.themes)
    since = micros(event.event_time)
    feels = NO_SENTIMENT if event.without_sentiment else round(event.sentiment * MILLION)
    for theme in event.themes or ("",):
        yield "coding", (position, since, feels, event.feedback, theme, coder)


def coder_word(name: str, version: str) -> str:
    """Answer a coder in one word, apart from all that are called anything else."""
    return f"{name}\t{version}"


def coder_of(word: str) -> tuple[str, str]:
    """Answer name and version of the coder that a word stands for."""
    name, _, version = word.rpartition("\t")
    return name, version


def _classified(event: events.CauseClassified, _: int) -> Iterator[Row]:
    yield "finding", (event.cause, event.feedback)


def _escalated(event: events.ActionEscalated, _: int) -> Iterator[Row]:
    yield from _words(event.owner)
    yield "act", (event.action, event.owner, event.kind)
    yield "stand", (micros(event.event_time), event.action, ESCALATED)
    yield from _links(event, micros(event.event_time))


def _committed(event: events.ActionCommitted, _: int) -> Iterator[Row]:
    """What was approved was linked when it was escalated."""
    at = _since(event.commit_time, event.event_time)
    yield from _words(event.owner)
    yield "act", (event.action, event.owner, event.kind)
    yield "stand", (at, event.action, COMMITTED)
    if not event.approved_by:
        yield from _links(event, at)


def _linked(event: events.ActionLinked, _: int) -> Iterator[Row]:
    return _links(event, micros(event.event_time))


def _links(
    event: events.ActionEscalated | events.ActionCommitted | events.ActionLinked, at: int
) -> Iterator[Row]:
    for feedback in event.feedback:
        yield "link", (at, feedback, event.action)


def _completed(event: events.ActionCompleted, _: int) -> Iterator[Row]:
    yield "stand", (_since(event.complete_time, event.event_time), event.action, COMPLETED)


def _declined(event: events.ActionDeclined, _: int) -> Iterator[Row]:
    yield "stand", (_since(event.decline_time, event.event_time), event.action, DECLINED)


def _closed(event: events.LoopClosed, _: int) -> Iterator[Row]:
    told = micros(event.told_time)
    yield "telling", (told, told, event.feedback, event.action)


def _reopened(event: events.ActionReopened, _: int) -> Iterator[Row]:
    at = micros(event.event_time)
    yield "stand", (at, event.action, ESCALATED if event.awaits_approval else COMMITTED)
    for feedback in event.feedback:
        yield "telling", (at, NEVER, feedback, event.action)


def _protested(event: events.LoopProtested, _: int) -> Iterator[Row]:
    yield "telling", (micros(event.respond_time), NEVER, event.feedback, event.action)


def _routed(event: routing.FeedbackRouted, _: int) -> Iterator[Row]:
    yield from _words(event.function)
    yield "routing", (event.feedback, event.function)


def _returned(event: routing.RouteReturned, _: int) -> Iterator[Row]:
    yield "routing", (event.feedback, "")


def _labelled(
    event: customers.CustomerRegistered | customers.CustomerLabelled, position: int
) -> Iterator[Row]:
    """A customer without a segment has a row, too: it ends the labels before."""
    yield from _words(event.customer, *event.segments)
    for segment in event.segments or ("",):
        yield "label", (position, event.customer, segment)


def _words(*names: str) -> Iterator[Row]:
    """Have a number for each name that there is; the row of a nameless one says 0."""
    return (("word", (name,)) for name in names if name)


def _since(said: Timestamp, recorded: Timestamp) -> int:
    """Answer when a thing was so: when it is said to have been, or else when it was recorded."""
    return micros(said) or micros(recorded)


Rows = Callable[[Any, int], Iterable[Row]]
_ROWS: Mapping[type[Message], Rows] = {
    customers.CustomerLabelled: _labelled,
    customers.CustomerRegistered: _labelled,
    events.ActionCommitted: _committed,
    events.ActionCompleted: _completed,
    events.ActionDeclined: _declined,
    events.ActionEscalated: _escalated,
    events.ActionLinked: _linked,
    events.ActionReopened: _reopened,
    events.CauseClassified: _classified,
    events.FeedbackAttributed: _attributed,
    events.FeedbackCoded: _coded,
    events.FeedbackReceived: _received,
    events.LoopClosed: _closed,
    events.LoopProtested: _protested,
    routing.FeedbackRouted: _routed,
    routing.RouteReturned: _returned,
}


class FeedbackFacts:
    """What happened to feedback and to the actions that answer it, in rows that never change."""

    name = "feedback_facts"
    version = 2
    tables = (
        "item",
        "act",
        "author",
        "coding",
        "finding",
        "linking",
        "stand",
        "telling",
        "routing",
        "label",
    )
    schema = """
        CREATE TABLE IF NOT EXISTS word (n INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
        CREATE TABLE IF NOT EXISTS item (
            n INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            receive_time INTEGER NOT NULL,
            channel INTEGER NOT NULL,
            scale INTEGER NOT NULL,
            score INTEGER NOT NULL,
            customer INTEGER NOT NULL
        );
        CREATE TABLE IF NOT EXISTS act (
            n INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            owner INTEGER NOT NULL,
            kind INTEGER NOT NULL
        );
        CREATE TABLE IF NOT EXISTS author (
            n INTEGER PRIMARY KEY, item INTEGER NOT NULL, customer INTEGER NOT NULL
        );
        CREATE TABLE IF NOT EXISTS coding (
            n INTEGER PRIMARY KEY,
            position INTEGER NOT NULL,
            since INTEGER NOT NULL,
            sentiment INTEGER NOT NULL,
            item INTEGER NOT NULL,
            theme INTEGER NOT NULL,
            coder INTEGER NOT NULL
        );
        CREATE TABLE IF NOT EXISTS finding (
            n INTEGER PRIMARY KEY, cause INTEGER NOT NULL, item INTEGER NOT NULL
        );
        CREATE TABLE IF NOT EXISTS linking (
            n INTEGER PRIMARY KEY,
            since INTEGER NOT NULL,
            item INTEGER NOT NULL,
            act INTEGER NOT NULL
        );
        CREATE TABLE IF NOT EXISTS stand (
            n INTEGER PRIMARY KEY,
            since INTEGER NOT NULL,
            act INTEGER NOT NULL,
            state INTEGER NOT NULL
        );
        CREATE TABLE IF NOT EXISTS telling (
            n INTEGER PRIMARY KEY,
            since INTEGER NOT NULL,
            told INTEGER NOT NULL,
            item INTEGER NOT NULL,
            act INTEGER NOT NULL
        );
        CREATE TABLE IF NOT EXISTS routing (
            n INTEGER PRIMARY KEY, item INTEGER NOT NULL, function INTEGER NOT NULL
        );
        CREATE TABLE IF NOT EXISTS label (
            n INTEGER PRIMARY KEY,
            position INTEGER NOT NULL,
            customer INTEGER NOT NULL,
            segment INTEGER NOT NULL
        )
    """
    handles = frozenset(_ROWS)

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Add the rows of a batch, a statement at a time: they name nothing that comes later."""
        rows: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for fact in facts:
            for statement, values in _ROWS[type(fact.event)](fact.event, fact.recorded.position):
                rows[statement].append(values)
        for statement, sql in _ADD.items():
            db.executemany(sql, rows[statement])
