"""Needs: drawn from feedback, judged as often as somebody knows better; and themes people rank."""

from typing import Any

import pytest
from equiloop.feedback.v1 import market_events_pb2 as events
from google.protobuf.message import Message
from pydantic import ValidationError

from libs.contract.parse import violations
from libs.kernel.refusals import AlreadyExists, NotFound, Refusal
from services.feedback.domain import theme
from services.feedback.domain.need import (
    MOST_EVIDENCE,
    AddNeedEvidence,
    IdentifyNeed,
    NeedCommand,
    RejectNeed,
    ValidateNeed,
    decide,
)
from services.feedback.service.means import NEED, THEME
from tests.specs.feedback.market import added, identified, prioritised, rejected, validated
from tests.specs.given import given

SEEN = identified("1", "a", "b")
VALIDATE = ValidateNeed(
    name="needs/1", method=events.VALIDATION_METHOD_SURVEY, evidence="41 % of 900", by="people/8"
)
REJECT = RejectNeed(name="needs/1", reason="2 % of 900", by="people/8")


def identify(*feedback: str, **fields: Any) -> IdentifyNeed:
    usual = {
        "need": "needs/1",
        "title": "a day without a socket",
        "feedback": [f"feedback/{key}" for key in feedback],
        "by": "people/7",
    }
    return IdentifyNeed.model_validate(usual | fields)


def add(*feedback: str) -> AddNeedEvidence:
    names = [f"feedback/{key}" for key in feedback]
    return AddNeedEvidence.model_validate({"name": "needs/1", "feedback": names, "by": "people/8"})


def test_a_need_is_drawn_from_feedback() -> None:
    """What is identified names each item once, sorted, and who saw it."""
    given(NEED).when(decide, identify("b", "a", "b")).then(SEEN)


def test_a_need_is_identified_once() -> None:
    """The same need cannot be identified again."""
    outcome = given(NEED, SEEN).when(decide, identify("a"))
    outcome.refused(AlreadyExists, "NEED_EXISTS", need="needs/1")


def test_only_new_evidence_is_added() -> None:
    """Items that were evidence before are left out; none that is new: nothing happens."""
    before = given(NEED, SEEN, added("1", "c"))
    before.when(decide, add("d", "c", "a")).then(added("1", "d"))
    before.when(decide, add("a", "c")).then()


def test_evidence_has_a_bound() -> None:
    """The item that would be one too many is refused, and with it the command."""
    most = identified("1", *(str(number) for number in range(MOST_EVIDENCE - 1)))
    given(NEED, most).when(decide, add("a", "0")).then(added("1", "a"))
    given(NEED, most).when(decide, add("a", "b")).refused(Refusal, "TOO_MUCH_EVIDENCE")


@pytest.mark.parametrize("before", [(), (rejected("1"),), (validated("1"),)])
def test_a_need_can_always_be_validated(before: tuple[Message, ...]) -> None:
    """A need is found to be there for the first time, once more, or after all."""
    given(NEED, SEEN, *before).when(decide, VALIDATE).then(validated("1"))


def test_a_need_is_rejected_once() -> None:
    """A need that was identified or validated can be rejected, one that is rejected cannot."""
    given(NEED, SEEN).when(decide, REJECT).then(rejected("1"))
    given(NEED, SEEN, validated("1")).when(decide, REJECT).then(rejected("1"))
    outcome = given(NEED, SEEN, rejected("1")).when(decide, REJECT)
    outcome.refused(Refusal, "NEED_REJECTED", need="needs/1")


@pytest.mark.parametrize("command", [add("a"), VALIDATE, REJECT], ids=["add", "validate", "reject"])
def test_what_nobody_identified_is_not_found(command: NeedCommand) -> None:
    """Nothing can be said of a need that is not there."""
    given(NEED).when(decide, command).refused(NotFound, resource="needs/1")


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"feedback": []}, {"feedback"}),
        ({"feedback": ["feedback/a", "customers/7"]}, {"feedback[1]"}),
        ({"feedback": [f"feedback/{i}" for i in range(1001)]}, {"feedback"}),
        ({"title": " ", "by": "me"}, {"title", "by"}),
        ({"title": "x" * 501, "description": "x" * 5001}, {"title", "description"}),
    ],
)
def test_what_is_no_need(fields: dict[str, Any], wrong: set[str]) -> None:
    """A need is drawn from something, says something, and was seen by somebody."""
    with pytest.raises(ValidationError) as caught:
        identify("a", **fields)
    assert {violation.field for violation in violations(caught.value)} == wrong


def prioritise(**fields: Any) -> theme.PrioritiseTheme:
    usual = {"theme": "battery", "priority": 2, "reason": "it costs us", "by": "managers/maria"}
    return theme.PrioritiseTheme.model_validate(usual | fields)


def test_people_decide_again() -> None:
    """A theme gets a priority whatever it had before; the latest decision counts."""
    given(THEME).when(theme.decide, prioritise()).then(prioritised("battery", 2))
    again = given(THEME, prioritised("battery", 9))
    again.when(theme.decide, prioritise()).then(prioritised("battery", 2))
    assert given(THEME, prioritised("battery", 9), prioritised("battery", 2)).state.decided == (
        prioritised("battery", 2)
    )


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"priority": 0}, {"priority"}),
        ({"priority": 101, "theme": "The Battery"}, {"priority", "theme"}),
        ({"reason": " ", "by": ""}, {"reason", "by"}),
    ],
)
def test_what_is_no_priority(fields: dict[str, Any], wrong: set[str]) -> None:
    """A priority lies between 1 and 100, and somebody decided it for a reason."""
    with pytest.raises(ValidationError) as caught:
        prioritise(**fields)
    assert {violation.field for violation in violations(caught.value)} == wrong
