"""Conversations: two sides, turn by turn; what was asked stays asked until it is given."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from equiloop.feedback.v1 import conversation_events_pb2 as events
from equiloop.feedback.v1 import events_pb2 as feedback
from google.protobuf.message import Message
from hypothesis import given as forall
from hypothesis import strategies as st
from pydantic import ValidationError

from libs.contract.parse import violations
from libs.kernel.refusals import AlreadyExists, Invalid, NotFound, Refusal
from libs.kernel.values import timestamp
from services.feedback.domain import conversation as talk
from services.feedback.domain.conversation import (
    CUSTOMER,
    MOST_TURNS,
    ORGANISATION,
    GiveInformation,
    ReceiveMessage,
    RequestInformation,
    Said,
    SendMessage,
    decide,
)
from services.feedback.service.means import CONVERSATION
from tests.specs.given import NOW, Given, given

AT = timestamp(NOW)
HERE = "conversations/1"


def turn(number: int, side: events.Side.ValueType, **fields: Any) -> events.Turn:
    usual: dict[str, Any] = {
        "turn": f"{HERE}/turns/{number}",
        "customer": "customers/7",
        "said_by": side,
        "function": "functions/service" if side == ORGANISATION else "",
        "channel": feedback.CHANNEL_EMAIL,
        "text": "hello",
        "say_time": AT,
    }
    return events.Turn(**(usual | fields))


def sent(number: int, **fields: Any) -> events.MessageSent:
    said = turn(number, ORGANISATION, **fields)
    return events.MessageSent(event_time=AT, conversation=HERE, turn=said)


def received(number: int, **fields: Any) -> events.MessageReceived:
    said = turn(number, CUSTOMER, **fields)
    return events.MessageReceived(event_time=AT, conversation=HERE, turn=said)


def requested(number: int, side: events.Side.ValueType) -> events.InformationRequested:
    return events.InformationRequested(event_time=AT, conversation=HERE, turn=turn(number, side))


def gave(number: int, side: events.Side.ValueType, request: int) -> events.InformationGiven:
    return events.InformationGiven(
        event_time=AT,
        conversation=HERE,
        turn=turn(number, side),
        request=f"{HERE}/turns/{request}",
    )


def command(kind: type[Said], **fields: Any) -> Any:
    usual: dict[str, Any] = {
        "conversation": HERE,
        "channel": feedback.CHANNEL_EMAIL,
        "text": "hello",
    }
    if kind is SendMessage:
        usual["function"] = "functions/service"
    return kind.model_validate(usual | fields)


BEGIN = {"begins": True, "customer": "customers/7"}


def test_either_side_begins() -> None:
    """The first turn names the customer, and every later one is of the same."""
    given(CONVERSATION).when(decide, command(SendMessage, **BEGIN)).then(sent(1))
    given(CONVERSATION).when(decide, command(ReceiveMessage, **BEGIN)).then(received(1))
    given(CONVERSATION, sent(1)).when(decide, command(ReceiveMessage)).then(received(2))
    other = command(ReceiveMessage, customer="customers/8")
    given(CONVERSATION, sent(1)).when(decide, other).refused(Refusal, "OTHER_CUSTOMER")
    given(CONVERSATION).when(decide, command(SendMessage)).refused(NotFound, resource=HERE)


@pytest.mark.parametrize(
    ("asks", "gives", "function"),
    [(ORGANISATION, CUSTOMER, ""), (CUSTOMER, ORGANISATION, "functions/service")],
)
def test_information_is_asked_and_given(
    asks: events.Side.ValueType, gives: events.Side.ValueType, function: str
) -> None:
    """Who was asked gives, once; nothing is given to a turn that did not ask, or is not there."""
    who = {"function": "functions/service"} if asks == ORGANISATION else {}
    ask = command(RequestInformation, asked_by=asks, **who, **BEGIN)
    given(CONVERSATION).when(decide, ask).then(requested(1, asks))
    asked = given(CONVERSATION, requested(1, asks), sent(2))

    def give(number: int) -> Any:
        more = {"function": function} if function else {}
        return command(GiveInformation, request=f"{HERE}/turns/{number}", **more)

    asked.when(decide, give(1)).then(gave(3, gives, 1))
    asked.when(decide, give(2)).refused(Refusal, "NOTHING_ASKED")
    asked.when(decide, give(3)).refused(NotFound)
    again = given(CONVERSATION, requested(1, asks), sent(2), gave(3, gives, 1))
    again.when(decide, give(1)).refused(Refusal, "GIVEN_BEFORE")


def test_we_speak_as_a_function() -> None:
    """What we give to a customer who asked needs the function that speaks for us."""
    asked = given(CONVERSATION, requested(1, CUSTOMER))
    asked.when(decide, command(GiveInformation, request=f"{HERE}/turns/1")).refused(Invalid)


FROM = {"source": "mail", "source_id": "m1"}


def test_another_system_may_say_it_again() -> None:
    """The same message again changes nothing; with other words, time or side it is refused."""
    said = received(1, **FROM, text="hello")
    again = given(CONVERSATION, said, sent(2))
    same = command(ReceiveMessage, **FROM)
    again.when(decide, same).then()
    again.when(decide, same.model_copy(update={"say_time": NOW})).then()
    for other in (
        same.model_copy(update={"text": "hallo"}),
        same.model_copy(update={"say_time": NOW - timedelta(seconds=1)}),
        command(SendMessage, **FROM),
    ):
        again.when(decide, other).refused(AlreadyExists, "SOURCE_ID_REUSED")


def test_a_conversation_has_a_bound() -> None:
    """The turn that would be one too many is refused; what was said before can be said again."""
    state = given(CONVERSATION, received(1, **FROM)).state
    full = Given(replace(state, count=MOST_TURNS))
    full.when(decide, command(SendMessage)).refused(Refusal, "CONVERSATION_FULL")
    full.when(decide, command(ReceiveMessage, **FROM)).then()


def test_nobody_has_spoken_in_the_future() -> None:
    """A turn that lies ahead is refused; one of the past keeps its time."""
    ahead = command(ReceiveMessage, say_time=NOW + timedelta(days=2), **BEGIN)
    given(CONVERSATION).when(decide, ahead).refused(Invalid)
    past = NOW - timedelta(days=400)
    before = command(ReceiveMessage, say_time=past, **BEGIN)
    given(CONVERSATION).when(decide, before).then(received(1, say_time=timestamp(past)))


@pytest.mark.parametrize(
    ("kind", "fields", "wrong"),
    [
        (SendMessage, {"function": None}, {"function"}),
        (SendMessage, {"text": " ", "channel": 0}, {"text", "channel"}),
        (ReceiveMessage, {"begins": True}, {"customer"}),
        (ReceiveMessage, {"source": "mail"}, {"source_id"}),
        (ReceiveMessage, {"thread_id": "t"}, {"thread_id"}),
        (ReceiveMessage, {"thread_id": "t", **FROM}, {"thread_id"}),
        (
            ReceiveMessage,
            {"feedback": ["actions/1"], "text": "x" * 10_001},
            {"feedback[0]", "text"},
        ),
        (RequestInformation, {"asked_by": 0}, {"asked_by"}),
        (RequestInformation, {"asked_by": ORGANISATION}, {"function"}),
        (GiveInformation, {"request": f"{HERE}/turns/0"}, {"request"}),
        (GiveInformation, {"request": HERE}, {"request"}),
    ],
)
def test_what_is_no_turn(kind: type[Said], fields: dict[str, Any], wrong: set[str]) -> None:
    """A turn says something, somewhere, by somebody who may speak; all that is wrong is named."""
    with pytest.raises(ValidationError) as caught:
        command(kind, **fields)
    assert {violation.field for violation in violations(caught.value)} == wrong


steps = st.one_of(
    st.sampled_from(
        [
            command(SendMessage, **BEGIN),
            command(ReceiveMessage, **BEGIN),
            command(ReceiveMessage, **FROM, **BEGIN),
            command(RequestInformation, asked_by=CUSTOMER, **BEGIN),
            command(
                RequestInformation, asked_by=ORGANISATION, function="functions/service", **BEGIN
            ),
        ]
    ),
    st.integers(1, 8).map(
        lambda number: command(
            GiveInformation, request=f"{HERE}/turns/{number}", function="functions/service"
        )
    ),
)


@forall(st.lists(steps, max_size=30))
def test_no_order_of_turns_breaks_a_conversation(said: list[Any]) -> None:
    """Turns have no gaps, another system's message stands once, a request is given once at most.

    Whoever gives is the side that was asked.
    """
    log: list[Message] = []
    for each in said:
        log += Given(given(CONVERSATION, *log).state).when(decide, each).events
    turns: list[Any] = [event.turn for event in log]  # type: ignore[attr-defined]
    assert [each.turn for each in turns] == [f"{HERE}/turns/{n + 1}" for n in range(len(log))]
    assert len([each for each in turns if each.source]) <= 1
    answers = [event for event in log if isinstance(event, events.InformationGiven)]
    assert len({event.request for event in answers}) == len(answers)
    for event in answers:
        asked = log[talk.turn_of(event.request)[1] - 1]
        assert isinstance(asked, events.InformationRequested)
        assert asked.turn.said_by != event.turn.said_by
