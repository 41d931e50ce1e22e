"""The end of a loop: nobody is told of a mere promise, and a protest opens it again."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from equiloop.feedback.v1 import events_pb2 as events
from google.protobuf.message import Message
from pydantic import ValidationError

from libs.kernel.refusals import Invalid, NotFound, Refusal
from services.feedback.domain.loop import (
    PERSONAL_CHANNELS,
    CloseLoop,
    ConfirmLoop,
    LoopCommand,
    ProtestLoop,
    decide,
)
from services.feedback.service.means import ACTION
from tests.specs.feedback.facts import (
    EMAIL,
    closed,
    committed,
    completed,
    confirmed,
    declined,
    escalated,
    linked,
    protested,
    reopened,
)
from tests.specs.given import NOW, given

YESTERDAY, LATER = NOW - timedelta(days=1), NOW + timedelta(days=3)
PROMISED = committed("1", "a", "b", "c", promised=YESTERDAY)
DONE = completed("1", "a", "b", "c", done=YESTERDAY)
REFUSED = declined("1", "a", "b", "c", refused=YESTERDAY)
KNOWN = {f"feedback/{key}": "customers/7" for key in "abc"}
CUSTOMER: dict[str, Any] = {"name": "actions/1", "author": "customers/7"}


def tell(*feedback: str, **fields: Any) -> CloseLoop:
    usual: dict[str, Any] = {
        "name": "actions/1",
        "channel": EMAIL,
        "message": "your battery lasts two days now",
        "feedback": [f"feedback/{key}" for key in feedback],
        "authors": KNOWN,
    }
    return CloseLoop.model_validate(usual | fields)


def confirm(feedback: str, words: str = "", **fields: Any) -> ConfirmLoop:
    given_: dict[str, Any] = {"feedback": f"feedback/{feedback}", "words": words}
    return ConfirmLoop.model_validate(CUSTOMER | given_ | fields)


def protest(feedback: str, **fields: Any) -> ProtestLoop:
    given_ = {"feedback": f"feedback/{feedback}", "reason": "mine still dies at noon"}
    return ProtestLoop.model_validate(CUSTOMER | given_ | fields)


@pytest.mark.parametrize("command", [tell(), confirm("a"), protest("a")])
def test_what_was_never_promised_is_not_found(command: LoopCommand) -> None:
    """Nobody can be told of an action that nobody committed to, nor answer it."""
    given(ACTION).when(decide, command).refused(NotFound, resource="actions/1")


@pytest.mark.parametrize(
    "before",
    [(PROMISED,), (escalated("1", "a"),), (PROMISED, DONE, reopened("1"))],
    ids=["promised", "asked for", "reopened"],
)
def test_nobody_is_told_of_a_mere_promise(before: tuple[Message, ...]) -> None:
    """A loop cannot be closed before the action was completed or declined."""
    outcome = given(ACTION, *before).when(decide, tell("a"))
    outcome.refused(Refusal, "NOTHING_TO_TELL", action="actions/1")


@pytest.mark.parametrize("end", [DONE, REFUSED], ids=["completed", "declined"])
def test_all_who_wait_are_told(end: Message) -> None:
    """Without names, the customer behind every linked item is told, each in an event."""
    outcome = given(ACTION, PROMISED, end).when(decide, tell())
    outcome.then(closed("1", "a"), closed("1", "b"), closed("1", "c"))


def test_a_refusal_can_be_told_though_nobody_approved() -> None:
    """What was refused before anybody committed to it is a reasoned refusal all the same."""
    before = (escalated("1", "a"), declined("1", "a"))
    given(ACTION, *before).when(decide, tell()).then(closed("1", "a"))


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


def test_who_was_linked_after_the_end_can_be_told() -> None:
    """It is done already: whoever says the same later is told at once."""
    before = (PROMISED, DONE, linked("1", "z"))
    command = tell("z", authors={"feedback/z": "customers/8"})
    given(ACTION, *before).when(decide, command).then(closed("1", "z", customer="customers/8"))


def test_it_is_known_who_told_whom() -> None:
    """Each event has the author as known by now, and who told: the owner, unless somebody else."""
    authors = {"feedback/a": "customers/8", "feedback/b": "customers/9"}
    outcome = given(ACTION, PROMISED, DONE).when(
        decide, tell("a", "b", told_by="managers/maria", authors=authors)
    )
    outcome.then(
        closed("1", "a", customer="customers/8", told_by="managers/maria"),
        closed("1", "b", customer="customers/9", told_by="managers/maria"),
    )


@pytest.mark.parametrize("channel", sorted(PERSONAL_CHANNELS))
def test_nobody_writes_to_somebody_unknown(channel: int) -> None:
    """Where only somebody known is reached, an unknown author is refused by name, else left out."""
    before = given(ACTION, PROMISED, DONE)
    authors = KNOWN | {"feedback/b": None}
    outcome = before.when(decide, tell("a", "b", channel=channel, authors=authors))
    outcome.refused(Refusal, "AUTHOR_UNKNOWN", feedback="feedback/b")
    outcome = before.when(decide, tell(channel=channel, authors=authors))
    assert [event.feedback for event in outcome.events] == ["feedback/a", "feedback/c"]  # type: ignore[attr-defined]
    outcome = before.when(decide, tell(channel=channel, authors={"feedback/b": None}))
    outcome.refused(Refusal, "AUTHOR_UNKNOWN", feedback="feedback/b")


@pytest.mark.parametrize("channel", sorted(set(events.Channel.values()) - PERSONAL_CHANNELS - {0}))
def test_somebody_unknown_is_told_in_public(channel: events.Channel.ValueType) -> None:
    """Where whoever said it can read it, the loop closes, and the event names nobody."""
    command = tell("b", channel=channel, authors={"feedback/b": None})
    expected = closed("1", "b", customer="", channel=channel)
    given(ACTION, PROMISED, DONE).when(decide, command).then(expected)


def test_being_told_has_its_own_time() -> None:
    """The time at which customers were told may lie before that of recording it."""
    outcome = given(ACTION, PROMISED, DONE).when(decide, tell("a", told_time=YESTERDAY))
    outcome.then(closed("1", "a", told=YESTERDAY))


@pytest.mark.parametrize(
    ("before", "told_time"),
    [
        ((PROMISED, DONE), LATER),
        ((PROMISED, DONE), YESTERDAY - timedelta(seconds=1)),
        ((PROMISED, DONE, reopened("1"), completed("1", "a")), YESTERDAY),
        ((committed("1", "b", promised=YESTERDAY), DONE, linked("1", "a")), YESTERDAY),
    ],
    ids=["to come", "before the end", "before the end that holds", "before it was linked"],
)
def test_nobody_is_told_what_has_not_happened(
    before: tuple[Message, ...], told_time: datetime
) -> None:
    """Not in the future, not before the action ended, not before the item was linked."""
    refused = given(ACTION, *before).when(decide, tell("a", told_time=told_time)).refusal
    assert isinstance(refused, Invalid)
    assert {violation.field for violation in refused.violations} == {"told_time"}


def test_an_action_for_needs_alone_has_nobody_to_tell() -> None:
    """Where no feedback is linked, closing the loop changes nothing."""
    promised = committed("1", needs=["needs/4"])
    given(ACTION, promised, completed("1")).when(decide, tell()).then()


TOLD = (PROMISED, DONE, closed("1", "a", told=YESTERDAY))


def test_a_customer_agrees() -> None:
    """The answer is kept with its words and its time; agreeing again without words adds nothing."""
    command = confirm("a", "it does, thank you", respond_time=YESTERDAY)
    answer = confirmed("1", "a", "it does, thank you", said=YESTERDAY)
    given(ACTION, *TOLD).when(decide, command).then(answer)
    given(ACTION, *TOLD, answer).when(decide, confirm("a")).then()
    more = confirmed("1", "a", "still does")
    given(ACTION, *TOLD, answer).when(decide, confirm("a", "still does")).then(more)


def test_a_customer_does_not_agree() -> None:
    """The protest is kept with its words and its time, after having agreed, too."""
    command = protest("a", respond_time=YESTERDAY)
    answer = protested("1", "a", said=YESTERDAY)
    given(ACTION, *TOLD).when(decide, command).then(answer)
    given(ACTION, *TOLD, confirmed("1", "a")).when(decide, command).then(answer)


def test_whoever_protests_is_not_told_the_same_again() -> None:
    """Named, the item is refused; not named, it is passed over; with nobody left, refused."""
    before = given(ACTION, *TOLD, protested("1", "a"))
    before.when(decide, tell("a")).refused(Refusal, "PROTESTED", feedback="feedback/a")
    before.when(decide, tell()).then(closed("1", "b"), closed("1", "c"))
    rest = (closed("1", "b"), closed("1", "c"))
    outcome = given(ACTION, *TOLD, *rest, protested("1", "a")).when(decide, tell())
    outcome.refused(Refusal, "PROTESTED", feedback="feedback/a")


def test_whoever_protests_is_told_what_was_done_anew() -> None:
    """Reopened and ended again, there is something new to tell; and all the others, too."""
    again = (reopened("1"), completed("1", "a", "b", "c"))
    outcome = given(ACTION, *TOLD, protested("1", "a"), *again).when(decide, tell())
    outcome.then(closed("1", "a"), closed("1", "b"), closed("1", "c"))


@pytest.mark.parametrize("command", [confirm("b"), protest("b")], ids=["agree", "protest"])
@pytest.mark.parametrize(
    "before",
    [
        (PROMISED,),
        TOLD,
        (*TOLD, closed("1", "b"), protested("1", "b")),
        (*TOLD, closed("1", "b"), reopened("1", "a", "b")),
    ],
    ids=["promised", "another told", "protested", "reopened"],
)
def test_whoever_was_not_told_cannot_answer(
    before: tuple[Message, ...], command: LoopCommand
) -> None:
    """There is an answer only to what holds the loop closed now."""
    outcome = given(ACTION, *before).when(decide, command)
    outcome.refused(Refusal, "LOOP_NOT_CLOSED", feedback="feedback/b")


@pytest.mark.parametrize("command", [confirm("z"), protest("z")], ids=["agree", "protest"])
def test_a_stranger_cannot_answer(command: LoopCommand) -> None:
    """Feedback that the action does not answer has nothing to agree with."""
    given(ACTION, *TOLD).when(decide, command).refused(Refusal, "NOT_LINKED", feedback="feedback/z")


@pytest.mark.parametrize("at", [LATER, YESTERDAY - timedelta(seconds=1)], ids=["late", "early"])
def test_an_answer_comes_after_the_words(at: datetime) -> None:
    """Not in the future, and not before the customer was told."""
    for command in (confirm("a", respond_time=at), protest("a", respond_time=at)):
        refused = given(ACTION, *TOLD).when(decide, command).refusal
        assert isinstance(refused, Invalid)
        assert {violation.field for violation in refused.violations} == {"respond_time"}


@pytest.mark.parametrize("words", ["", "  ", "x" * 2001], ids=["none", "blank", "too long"])
def test_what_is_told_has_words(words: str) -> None:
    """A message and the reason of a protest say something, in at most 2,000 characters."""
    with pytest.raises(ValidationError, match="message"):
        tell(message=words)
    with pytest.raises(ValidationError, match="reason"):
        protest("a", reason=words)
