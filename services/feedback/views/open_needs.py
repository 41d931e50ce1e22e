"""OpenNeeds: which questions are open, since when, for how many, and answered by anybody?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import apsw
from equiloop.feedback.v1 import community_events_pb2 as events

from libs.projection import Fact, Folds, fold_each
from services.feedback.views.inbox import micros

ALWAYS = (1 << 63) - 1
"""A position after all others."""


def _asked(db: apsw.Connection, event: events.QuestionAsked, fact: Fact) -> None:
    row = (fact.recorded.position, event.question, event.need, micros(event.ask_time))
    db.execute("INSERT INTO question VALUES (?, ?, ?, ?, 1, 0, NULL, 0)", row)


def _shared(db: apsw.Connection, event: events.QuestionShared, _: Fact) -> None:
    db.execute("UPDATE question SET heads = heads + 1 WHERE name = ?", (event.question,))


def _answered(db: apsw.Connection, event: events.AnswerGiven, fact: Fact) -> None:
    sql = """
        UPDATE question SET answers = answers + 1, first_answer = ifnull(first_answer, ?)
        WHERE name = ?
    """
    db.execute(sql, (fact.recorded.position, event.question))


def _accepted(db: apsw.Connection, event: events.AnswerAccepted, _: Fact) -> None:
    sql = "UPDATE question SET is_closed = 1, need = ifnull(nullif(?, ''), need) WHERE name = ?"
    db.execute(sql, (event.need, event.question))


class OpenNeeds:
    """Questions in the order in which they were recorded; ``first_answer`` is its position."""

    name = "open_needs"
    version = 1
    tables = ("question",)
    schema = """
        CREATE TABLE IF NOT EXISTS question (
            position INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            need TEXT NOT NULL,
            ask_time INTEGER NOT NULL,
            heads INTEGER NOT NULL,
            answers INTEGER NOT NULL,
            first_answer INTEGER,
            is_closed INTEGER NOT NULL
        );
        CREATE INDEX IF NOT EXISTS question_open ON question (position) WHERE NOT is_closed
    """
    _folds: ClassVar[Folds] = {
        events.QuestionAsked: _asked,
        events.QuestionShared: _shared,
        events.AnswerGiven: _answered,
        events.AnswerAccepted: _accepted,
    }
    handles = frozenset(_folds)

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Keep every question, who has it by number, and whether it is answered or closed."""
        fold_each(self._folds, db, facts)


@dataclass(frozen=True, slots=True)
class Open:
    """A question that is open; ``was_answered`` as of the position asked for."""

    was_answered: int
    position: int
    question: str
    need: str
    ask_time: int
    heads: int
    answers: int


def seen(db: apsw.Connection) -> int:
    """Answer the position up to which these rows have seen the log (-1: nothing yet)."""
    return int(db.execute("SELECT ifnull(max(position), -1) FROM checkpoint").get)


def open_needs(
    db: apsw.Connection, *, as_of: int, after: tuple[int, int], limit: int, need: str
) -> list[Open]:
    """Answer open questions after (was answered, position), those without any answer first.

    Whether a question was answered is looked at as of position ``as_of``, the same for all pages:
    one that is answered between two of them stays where it was.
    """
    found: list[Open] = []
    for was_answered, state in enumerate(("> :as_of", "<= :as_of")):
        if after[0] > was_answered:
            continue
        sql = f"""
            SELECT {was_answered}, position, name, need, ask_time, heads, answers FROM question
            WHERE NOT is_closed AND position > :after AND ifnull(first_answer, :always) {state}
            AND :need IN ('', need) ORDER BY position LIMIT :limit
        """
        values: dict[str, Any] = {
            "as_of": as_of,
            "after": after[1] if after[0] == was_answered else -1,
            "always": ALWAYS,
            "need": need,
            "limit": limit - len(found),
        }
        found += [Open(*row) for row in db.execute(sql, values)]
    return found


def count_open(db: apsw.Connection, need: str) -> tuple[int, int]:
    """Answer how many questions are open, and how many of them without any answer."""
    sql = """
        SELECT count(*), count(*) - count(first_answer) FROM question
        WHERE NOT is_closed AND ? IN ('', need)
    """
    total, unanswered = next(iter(db.execute(sql, (need,))))
    return int(total), int(unanswered)
