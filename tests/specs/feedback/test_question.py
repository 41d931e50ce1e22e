"""Questions among members: asked, shared, answered; closed by who asked, and by nobody else."""

from typing import Any

import pytest
from equiloop.feedback.v1 import community_events_pb2 as events
from google.protobuf.message import Message
from hypothesis import given as forall
from hypothesis import strategies as st
from pydantic import ValidationError

from libs.contract.parse import violations
from libs.kernel.refusals import AlreadyExists, NotFound, Refusal
from libs.kernel.values import timestamp
from services.feedback.domain.question import (
    MOST_ANSWERS,
    MOST_HEADS,
    AcceptAnswer,
    AnswerNeed,
    AskCommunity,
    QuestionCommand,
    ShareQuestion,
    decide,
)
from services.feedback.service.means import QUESTION
from tests.specs.given import NOW, Given, given

AT = timestamp(NOW)
HERE, ANNA, BEN, EVA = "questions/1", "customers/anna", "customers/ben", "employees/eva"
ASK = AskCommunity(question=HERE, asker=ANNA, text="How long does it last?")
ASKED = events.QuestionAsked(
    event_time=AT, question=HERE, asker=ANNA, text="How long does it last?", ask_time=AT
)


def shared(member: str) -> events.QuestionShared:
    return events.QuestionShared(event_time=AT, question=HERE, member=member)


def answered(number: int, member: str = EVA) -> events.AnswerGiven:
    return events.AnswerGiven(
        event_time=AT,
        question=HERE,
        answer=f"{HERE}/answers/{number}",
        member=member,
        text="Two days",
        answer_time=AT,
    )


def accepted(number: int, need: str = "") -> events.AnswerAccepted:
    answer = f"{HERE}/answers/{number}"
    return events.AnswerAccepted(
        event_time=AT, question=HERE, answer=answer, member=ANNA, need=need
    )


def accept(number: int, member: str = ANNA, **fields: Any) -> AcceptAnswer:
    return AcceptAnswer(name=HERE, answer=f"{HERE}/answers/{number}", member=member, **fields)


SHARE = ShareQuestion(name=HERE, member=BEN)
ANSWER = AnswerNeed(name=HERE, member=EVA, text="Two days")


def test_a_question_is_asked_once() -> None:
    """The same question cannot be asked again."""
    given(QUESTION).when(decide, ASK).then(ASKED)
    given(QUESTION, ASKED).when(decide, ASK).refused(AlreadyExists, "QUESTION_EXISTS")


def test_a_head_counts_once() -> None:
    """Who asked, and who shares it already, is not counted again; heads have a bound."""
    given(QUESTION, ASKED).when(decide, SHARE).then(shared(BEN))
    given(QUESTION, ASKED, shared(BEN)).when(decide, SHARE).then()
    own = ShareQuestion(name=HERE, member=ANNA)
    given(QUESTION, ASKED).when(decide, own).then()
    many = Given(given(QUESTION, ASKED).state)
    heads = frozenset(f"customers/{number}" for number in range(MOST_HEADS))
    object.__setattr__(many.state, "heads", heads)
    many.when(decide, SHARE).refused(Refusal, "TOO_MANY_HEADS")


def test_answers_are_numbered_and_bounded() -> None:
    """Anybody answers, the asker too, as often as there is more to say, up to a bound."""
    given(QUESTION, ASKED).when(decide, ANSWER).then(answered(1))
    own = AnswerNeed(name=HERE, member=ANNA, text="Two days")
    given(QUESTION, ASKED, answered(1)).when(decide, own).then(answered(2, ANNA))
    full = [answered(number + 1) for number in range(MOST_ANSWERS)]
    given(QUESTION, ASKED, *full).when(decide, ANSWER).refused(Refusal, "TOO_MANY_ANSWERS")
    given(QUESTION, ASKED, answered(1), accepted(1)).when(decide, ANSWER).then(answered(2))


def test_only_the_asker_accepts_and_once() -> None:
    """An answer that there is, by who asked; a closed question stays closed by that answer."""
    before = given(QUESTION, ASKED, answered(1), answered(2))
    before.when(decide, accept(2, need="needs/1")).then(accepted(2, "needs/1"))
    before.when(decide, accept(1, BEN)).refused(Refusal, "NOT_THE_ASKER", question=HERE)
    before.when(decide, accept(3)).refused(NotFound, resource=f"{HERE}/answers/3")
    closed = given(QUESTION, ASKED, answered(1), answered(2), accepted(2))
    closed.when(decide, accept(1)).refused(Refusal, "QUESTION_CLOSED")


@pytest.mark.parametrize("command", [SHARE, ANSWER, accept(1)], ids=["share", "answer", "accept"])
def test_what_nobody_asked_is_not_found(command: QuestionCommand) -> None:
    """Nothing can be said to a question that is not there."""
    given(QUESTION).when(decide, command).refused(NotFound, resource=HERE)


@pytest.mark.parametrize(
    ("kind", "fields", "wrong"),
    [
        (AskCommunity, {"asker": "managers/7", "text": " "}, {"asker", "text"}),
        (AskCommunity, {"text": "x" * 5001, "need": "themes/1"}, {"text", "need"}),
        (AnswerNeed, {"member": "anna", "language_code": "e n"}, {"member", "language_code"}),
        (AcceptAnswer, {"answer": "questions/1"}, {"answer"}),
        (AcceptAnswer, {"answer": "questions/1/answers/0"}, {"answer"}),
    ],
)
def test_what_is_not_said(kind: Any, fields: dict[str, Any], wrong: set[str]) -> None:
    """Members are customers or employees, words say something, names are names."""
    usual = {
        "question": HERE,
        "name": HERE,
        "asker": ANNA,
        "member": ANNA,
        "text": "How long?",
        "answer": f"{HERE}/answers/1",
    }
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(usual | fields)
    assert {violation.field for violation in violations(caught.value)} == wrong


members = st.sampled_from([ANNA, BEN, EVA])
commands = st.one_of(
    st.just(ASK),
    st.builds(ShareQuestion, name=st.just(HERE), member=members),
    st.builds(AnswerNeed, name=st.just(HERE), member=members, text=st.just("Two days")),
    st.builds(accept, st.integers(1, 4), members),
)


@forall(st.lists(commands, max_size=25))
def test_no_order_of_commands_breaks_a_question(asked: list[Any]) -> None:
    """One question, answers numbered without gaps, each head once, at most one answer accepted."""
    log: list[Message] = []
    for command in asked:
        log += Given(given(QUESTION, *log).state).when(decide, command).events
    assert not log or isinstance(log[0], events.QuestionAsked)
    assert sum(isinstance(event, events.QuestionAsked) for event in log) <= 1
    answers = [event.answer for event in log if isinstance(event, events.AnswerGiven)]
    assert answers == [f"{HERE}/answers/{n + 1}" for n in range(len(answers))]
    heads = [event.member for event in log if isinstance(event, events.QuestionShared)]
    assert len({ANNA, *heads}) == len(heads) + 1
    taken = [event for event in log if isinstance(event, events.AnswerAccepted)]
    assert len(taken) <= 1
    assert all(event.answer in answers and event.member == ANNA for event in taken)
