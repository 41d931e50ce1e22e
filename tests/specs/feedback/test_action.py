"""Actions: a loop closes only on a completed action or a reasoned refusal."""

from datetime import date, timedelta
from typing import Any

import pytest
from equiloop.feedback.v1 import events_pb2 as events
from google.protobuf.message import Message
from google.type.date_pb2 import Date
from pydantic import ValidationError

from libs.contract.parse import violations
from libs.kernel.refusals import AlreadyExists, NotFound, Refusal
from libs.kernel.values import timestamp
from services.feedback.domain.action import (
    ActionCommand,
    CloseLoop,
    CommitAction,
    CompleteAction,
    DeclineAction,
    decide,
)
from services.feedback.service.means import ACTION
from tests.specs.feedback.facts import EMAIL, closed, committed, completed, declined
from tests.specs.given import NOW, given

COMPLETE = CompleteAction(name="actions/1", outcome="the battery lasts two days")
DECLINE = DeclineAction(name="actions/1", reason="it would weigh too much")


def commit(*feedback: str, **fields: Any) -> CommitAction:
    usual = {
        "action": "actions/1",
        "kind": events.ACTION_KIND_PRODUCT_CHANGE,
        "title": "a larger battery",
        "owner": "functions/research",
        "feedback": [f"feedback/{key}" for key in feedback],
    }
    return CommitAction.model_validate(usual | fields)


def tell(*feedback: str, **fields: Any) -> CloseLoop:
    usual = {
        "name": "actions/1",
        "channel": EMAIL,
        "message": "your battery lasts two days now",
        "feedback": [f"feedback/{key}" for key in feedback],
    }
    return CloseLoop.model_validate(usual | fields)


PROMISED = committed("1", "a", "b", "c")
DONE = completed("1", "a", "b", "c")
REFUSED = declined("1", "a", "b", "c")


def test_an_action_answers_many_items() -> None:
    """What is promised names each item once, sorted."""
    given(ACTION).when(decide, commit("c", "a", "b", "a")).then(PROMISED)


def test_an_action_may_answer_needs_and_have_a_day() -> None:
    """Needs alone are reason enough; the due day is kept as a day."""
    expected = committed("1")
    expected.needs.extend(["needs/4", "needs/9"])
    expected.due_date.CopyFrom(Date(year=2024, month=6, day=30))
    command = commit(needs=["needs/9", "needs/4"], due_date=date(2024, 6, 30))
    given(ACTION).when(decide, command).then(expected)


def test_an_action_is_promised_once() -> None:
    """The same action cannot be committed again, with the same content neither."""
    outcome = given(ACTION, PROMISED).when(decide, commit("a", "b", "c"))
    outcome.refused(AlreadyExists, "ACTION_EXISTS", action="actions/1")


@pytest.mark.parametrize(("command", "expected"), [(COMPLETE, DONE), (DECLINE, REFUSED)])
def test_a_promise_ends_one_way_or_the_other(command: ActionCommand, expected: Message) -> None:
    """A committed action is completed or declined, and the event names the items it answers."""
    given(ACTION, PROMISED).when(decide, command).then(expected)


@pytest.mark.parametrize("end", [DONE, REFUSED], ids=["completed", "declined"])
@pytest.mark.parametrize("command", [COMPLETE, DECLINE], ids=["complete", "decline"])
def test_an_end_is_an_end(command: ActionCommand, end: Message) -> None:
    """What was completed or declined can be neither completed nor declined."""
    outcome = given(ACTION, PROMISED, end).when(decide, command)
    outcome.refused(Refusal, "ACTION_ENDED", action="actions/1")


@pytest.mark.parametrize(
    "command", [COMPLETE, DECLINE, tell()], ids=["complete", "decline", "tell"]
)
def test_what_was_never_promised_is_not_found(command: ActionCommand) -> None:
    """Nothing can be done to an action that nobody committed to."""
    given(ACTION).when(decide, command).refused(NotFound, resource="actions/1")


def test_nobody_is_told_of_a_mere_promise() -> None:
    """A loop cannot be closed before the action was completed or declined."""
    outcome = given(ACTION, PROMISED).when(decide, tell("a"))
    outcome.refused(Refusal, "NOTHING_TO_TELL", action="actions/1")


@pytest.mark.parametrize("end", [DONE, REFUSED], ids=["completed", "declined"])
def test_all_who_wait_are_told(end: Message) -> None:
    """Without names, the customer behind every linked item is told, each in an event."""
    outcome = given(ACTION, PROMISED, end).when(decide, tell())
    outcome.then(closed("1", "a"), closed("1", "b"), closed("1", "c"))


def test_who_was_told_is_not_told_again() -> None:
    """Of those named, only those who were not told yet are; all told: nothing happens."""
    before = (PROMISED, DONE, closed("1", "b"))
    given(ACTION, *before).when(decide, tell("c", "b")).then(closed("1", "c"))
    given(ACTION, *before).when(decide, tell()).then(closed("1", "a"), closed("1", "c"))
    given(ACTION, *before).when(decide, tell("b")).then()


def test_only_linked_items_are_told() -> None:
    """An item that the action does not answer is refused, and nobody is told."""
    outcome = given(ACTION, PROMISED, DONE).when(decide, tell("a", "z"))
    outcome.refused(Refusal, "NOT_LINKED", action="actions/1", feedback="feedback/z")


def test_being_told_has_its_own_time() -> None:
    """The time at which customers were told may lie before that of recording it."""
    yesterday = NOW - timedelta(days=1)
    expected = closed("1", "a", told=yesterday)
    expected.event_time.CopyFrom(timestamp(NOW))
    outcome = given(ACTION, PROMISED, DONE).when(decide, tell("a", told_time=yesterday))
    outcome.then(expected)


def test_an_action_for_needs_alone_has_nobody_to_tell() -> None:
    """Where no feedback is linked, closing the loop changes nothing."""
    promised = committed("1")
    promised.needs.append("needs/4")
    given(ACTION, promised, completed("1")).when(decide, tell()).then()


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"feedback": []}, {"feedback"}),
        ({"feedback": ["feedback/a", "customers/7"]}, {"feedback[1]"}),
        ({"feedback": [f"feedback/{i}" for i in range(1001)]}, {"feedback"}),
        ({"title": " ", "owner": "people/7"}, {"title", "owner"}),
        ({"title": "x" * 501, "kind": 0}, {"title", "kind"}),
        ({"needs": ["feedback/a"]}, {"needs[0]"}),
    ],
)
def test_what_cannot_be_promised(fields: dict[str, Any], wrong: set[str]) -> None:
    """A promise answers somebody, says something, and has an owner."""
    with pytest.raises(ValidationError) as caught:
        commit("a", **fields)
    assert {violation.field for violation in violations(caught.value)} == wrong


@pytest.mark.parametrize("words", ["", "  ", "x" * 2001], ids=["none", "blank", "too long"])
def test_an_end_needs_words(words: str) -> None:
    """An outcome, a reason and a message say something, in at most 2,000 characters."""
    for model, field in ((CompleteAction, "outcome"), (DeclineAction, "reason")):
        with pytest.raises(ValidationError, match=field):
            model.model_validate({"name": "actions/1", field: words})
    with pytest.raises(ValidationError, match="message"):
        tell(message=words)
