"""Conversation, TwoWayRatio, ResponseTime: who speaks how much, and who waits how long?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import apsw
from equiloop.feedback.v1 import conversation_events_pb2 as events
from equiloop.feedback.v1 import conversation_service_pb2 as api

from libs.projection import Fact, Folds, fold_each
from services.feedback.domain.conversation import turn_of
from services.feedback.views.inbox import micros

CUSTOMER, ORGANISATION = events.SIDE_CUSTOMER, events.SIDE_ORGANISATION

_Turned = (
    events.MessageSent
    | events.MessageReceived
    | events.InformationRequested
    | events.InformationGiven
)
_KIND: dict[type[Any], int] = {
    events.MessageSent: api.TURN_KIND_MESSAGE,
    events.MessageReceived: api.TURN_KIND_MESSAGE,
    events.InformationRequested: api.TURN_KIND_REQUEST,
    events.InformationGiven: api.TURN_KIND_INFORMATION,
}


def _turned(db: apsw.Connection, event: _Turned, fact: Fact) -> None:
    turn, conversation = event.turn, event.conversation
    _, number = turn_of(turn.turn)
    said = micros(turn.say_time)
    if number == 1:
        row = (conversation, fact.recorded.position, turn.customer)
        db.execute("INSERT INTO conversation VALUES (?, ?, ?)", row)
    if turn.source:
        db.execute(
            "INSERT OR IGNORE INTO sourced_turn VALUES (?, ?, ?)",
            (turn.source, turn.source_id, conversation),
        )
    function, answered = turn.function, None
    if turn.said_by == CUSTOMER:
        function = function or str(db.execute(_LAST_FUNCTION, (conversation,)).get or "")
        answered = db.execute(_ANSWER, (conversation, said)).get
    else:
        db.execute(_ANSWERS, {"conversation": conversation, "said": said})
    db.execute(
        "INSERT INTO turn VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
        (
            conversation,
            number,
            turn.customer,
            turn.said_by,
            turn.channel,
            function,
            said,
            answered,
            _KIND[type(event)],
        ),
    )
    if isinstance(event, events.InformationGiven):
        sql = "UPDATE turn SET is_given = 1 WHERE conversation = ? AND number = ?"
        db.execute(sql, (conversation, turn_of(event.request)[1]))


_LAST_FUNCTION = f"""
    SELECT function FROM turn WHERE conversation = ? AND said_by = {ORGANISATION}
    ORDER BY number DESC LIMIT 1
"""
# Turns come in any order of their times. Of turns at one instant, the one recorded later answers.
_ANSWER = f"""
    SELECT min(say_time) FROM turn
    WHERE conversation = ? AND said_by = {ORGANISATION} AND say_time > ?
"""
_ANSWERS = f"""
    UPDATE turn SET answered = :said
    WHERE conversation = :conversation AND said_by = {CUSTOMER} AND say_time <= :said
    AND (answered IS NULL OR answered > :said)
"""


class Conversations:
    """Conversations in the order in which they began, and their turns without the words.

    A customer's turn is ``answered`` by our first turn after it; its ``function`` is whom it
    reached, else the one that had spoken last in the conversation when it was recorded.
    """

    name = "conversations"
    version = 1
    tables = ("conversation", "turn", "sourced_turn")
    schema = """
        CREATE TABLE IF NOT EXISTS conversation (
            name TEXT PRIMARY KEY,
            position INTEGER NOT NULL UNIQUE,
            customer TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS conversation_by_customer ON conversation (customer, position);
        CREATE TABLE IF NOT EXISTS turn (
            conversation TEXT NOT NULL,
            number INTEGER NOT NULL,
            customer TEXT NOT NULL,
            said_by INTEGER NOT NULL,
            channel INTEGER NOT NULL,
            function TEXT NOT NULL,
            say_time INTEGER NOT NULL,
            answered INTEGER,
            kind INTEGER NOT NULL,
            is_given INTEGER NOT NULL,
            PRIMARY KEY (conversation, number)
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS turn_by_side ON turn (conversation, said_by, say_time);
        CREATE INDEX IF NOT EXISTS turn_by_time ON turn (say_time);
        CREATE TABLE IF NOT EXISTS sourced_turn (
            source TEXT NOT NULL,
            source_id TEXT NOT NULL,
            conversation TEXT NOT NULL,
            PRIMARY KEY (source, source_id)
        ) WITHOUT ROWID
    """
    _folds: ClassVar[Folds] = {
        events.MessageSent: _turned,
        events.MessageReceived: _turned,
        events.InformationRequested: _turned,
        events.InformationGiven: _turned,
    }
    handles = frozenset(_folds)

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Keep who spoke when, and what answered whom."""
        fold_each(self._folds, db, facts)


def list_conversations(
    db: apsw.Connection, *, after: int, limit: int, customer: str
) -> list[tuple[int, str]]:
    """Answer (position, name) of conversations that began after position ``after``."""
    sql = "SELECT position, name FROM conversation WHERE position > :after"
    if customer:
        sql += " AND customer = :customer"
    sql += " ORDER BY position LIMIT :limit"
    return list(db.execute(sql, {"after": after, "limit": limit, "customer": customer}))


def conversation_of(db: apsw.Connection, source: str, source_id: str) -> str:
    """Answer the conversation in which a system's message stands; empty: in none."""
    sql = "SELECT conversation FROM sourced_turn WHERE source = ? AND source_id = ?"
    return str(db.execute(sql, (source, source_id)).get or "")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which turns are asked about: said in [start, end), times in microseconds."""

    start: int
    end: int
    as_of: int
    segment: str = ""
    channel: int = 0
    function: str = ""

    def condition(self) -> str:
        """Answer the WHERE clause that its values are for."""
        sql = "t.say_time >= :start AND t.say_time < :end AND t.say_time <= :as_of"
        if self.segment:
            members = "SELECT customer FROM customer_segment WHERE segment = :segment"
            sql += f" AND t.customer IN ({members})"
        if self.channel:
            sql += " AND t.channel = :channel"
        if self.function:
            sql += " AND t.function = :function"
        return sql

    def values(self) -> dict[str, int | str]:
        """Answer the values of the condition's parameters."""
        return {
            "start": self.start,
            "end": self.end,
            "as_of": self.as_of,
            "segment": self.segment,
            "channel": self.channel,
            "function": self.function,
        }


@dataclass(frozen=True, slots=True)
class TwoWay:
    """Turns by side, conversations by whether both spoke, and information asked and given."""

    received: int
    sent: int
    asked_by_customers: int
    given_to_customers: int
    asked_by_us: int
    given_to_us: int
    conversations: int
    two_way: int


def two_way(db: apsw.Connection, asked: Asked) -> TwoWay:
    """Answer how much each side said in the window."""
    wanted = f"t.kind = {api.TURN_KIND_REQUEST} AND t.said_by"
    turns = f"""
        SELECT t.conversation,
            count(CASE WHEN t.said_by = {CUSTOMER} THEN 1 END) AS received,
            count(CASE WHEN t.said_by = {ORGANISATION} THEN 1 END) AS sent,
            count(CASE WHEN {wanted} = {CUSTOMER} THEN 1 END) AS theirs,
            count(CASE WHEN {wanted} = {CUSTOMER} AND t.is_given THEN 1 END) AS theirs_given,
            count(CASE WHEN {wanted} = {ORGANISATION} THEN 1 END) AS ours,
            count(CASE WHEN {wanted} = {ORGANISATION} AND t.is_given THEN 1 END) AS ours_given
        FROM turn t WHERE {asked.condition()} GROUP BY t.conversation
    """
    sums = ("received", "sent", "theirs", "theirs_given", "ours", "ours_given")
    columns = ", ".join(f"ifnull(sum({each}), 0)" for each in sums)
    sql = f"SELECT {columns}, count(*), ifnull(sum(received > 0 AND sent > 0), 0) FROM ({turns})"
    return TwoWay(*next(iter(db.execute(sql, asked.values()))))


def waits(db: apsw.Connection, asked: Asked, now: int) -> list[tuple[str, int, int, int]]:
    """Answer (function, channel, µs, answered) of what customers said in the window.

    The time until our next turn; while there is none by ``as_of``, the time waited until then or
    until ``now``, whichever is first.
    """
    sql = f"""
        SELECT t.function, t.channel,
            max(min(ifnull(t.answered, :now), :as_of, :now) - t.say_time, 0),
            ifnull(t.answered <= min(:as_of, :now), 0)
        FROM turn t WHERE t.said_by = {CUSTOMER} AND {asked.condition()}
    """
    return list(db.execute(sql, {**asked.values(), "now": now}))
