"""Conversations as callers meet them: said, imported, read again, and counted."""

from typing import Any

import pytest
from equiloop.feedback.v1 import conversation_events_pb2 as events
from equiloop.feedback.v1 import conversation_service_pb2 as api
from equiloop.feedback.v1 import events_pb2 as feedback
from equiloop.options.v1 import options_pb2 as options
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from libs.contract.events import CODEC
from tests.contract.chassis.serving import refused
from tests.contract.feedback.desk import DAY_0, Desk, day, paged
from tests.contract.feedback.dispatch import Dispatch

SERVICE, RESEARCH = "functions/service", "functions/research"
EMAIL, CHAT = feedback.CHANNEL_EMAIL, feedback.CHANNEL_CHAT
HOUR = 1 / 24


async def send(desk: Desk, conversation: str = "", **fields: Any) -> api.ConversationTurn:
    usual: dict[str, Any] = {
        "conversation": conversation,
        "customer": "" if conversation else "customers/7",
        "function": SERVICE,
        "channel": EMAIL,
        "text": "it is on its way",
    }
    answer: api.ConversationTurn = await desk.talk.SendMessage(
        api.SendMessageRequest(**(usual | fields))
    )
    return answer


async def receive(desk: Desk, conversation: str = "", **fields: Any) -> api.ConversationTurn:
    usual: dict[str, Any] = {
        "conversation": conversation,
        "customer": "" if conversation else "customers/7",
        "channel": EMAIL,
        "text": "where is it?",
    }
    answer: api.ConversationTurn = await desk.talk.ReceiveMessage(
        api.ReceiveMessageRequest(**(usual | fields))
    )
    return answer


def of(turn: api.ConversationTurn) -> str:
    """The conversation of a turn."""
    return turn.name.partition("/turns/")[0]


async def test_a_conversation_goes_both_ways(desk: Desk) -> None:
    """Each turn is answered as it was said; the conversation counts them, and shows them all."""
    said = (await desk.record("7")).name
    first = await receive(desk.at(1), feedback=[said], function=SERVICE, language_code="en")
    here = of(first)
    assert first == api.ConversationTurn(
        name=f"{here}/turns/1",
        kind=api.TURN_KIND_MESSAGE,
        said=events.Turn(
            turn=f"{here}/turns/1",
            customer="customers/7",
            said_by=events.SIDE_CUSTOMER,
            function=SERVICE,
            channel=EMAIL,
            language_code="en",
            text="where is it?",
            say_time=day(1),
            feedback=[said],
        ),
        create_time=day(1),
    )
    second = await send(desk.at(2), here)
    assert (second.name, second.said.said_by) == (f"{here}/turns/2", events.SIDE_ORGANISATION)
    got = await desk.talk.GetConversation(api.GetConversationRequest(name=here))
    assert got == api.Conversation(
        name=here,
        customer="customers/7",
        received_count=1,
        sent_count=1,
        create_time=day(1),
        update_time=day(2),
        etag="1",
    )
    listed = await desk.talk.ListTurns(api.ListTurnsRequest(parent=here))
    assert list(listed.turns) == [first, second]


async def test_information_is_asked_and_given(desk: Desk) -> None:
    """What was asked is open until it is given; the answer names the turn that asked."""
    ask = api.RequestInformationRequest(
        customer="customers/7",
        function=SERVICE,
        channel=EMAIL,
        text="which model?",
        asked_by=events.SIDE_ORGANISATION,
    )
    asked = await desk.talk.RequestInformation(ask)
    assert (asked.kind, asked.said.said_by) == (api.TURN_KIND_REQUEST, events.SIDE_ORGANISATION)
    get = api.GetConversationRequest(name=of(asked))
    assert (await desk.talk.GetConversation(get)).open_requests == [asked.name]
    give = api.GiveInformationRequest(request=asked.name, channel=EMAIL, text="the small one")
    given = await desk.talk.GiveInformation(give)
    assert (given.kind, given.request, given.said.said_by) == (
        api.TURN_KIND_INFORMATION,
        asked.name,
        events.SIDE_CUSTOMER,
    )
    assert not (await desk.talk.GetConversation(get)).open_requests
    assert (await refused(desk.talk.GiveInformation(give))).info.reason == "GIVEN_BEFORE"
    give.request = f"{of(asked)}/turns/9"
    assert (await refused(desk.talk.GiveInformation(give))).code is StatusCode.NOT_FOUND
    give.request = "conversations/none/turns/1"
    assert (await refused(desk.talk.GiveInformation(give))).code is StatusCode.NOT_FOUND


async def test_words_are_personal(desk: Desk) -> None:
    """Text is marked as personal, and the customer as its subject, in events and in requests."""
    fields = events.Turn.DESCRIPTOR.fields_by_name
    assert fields["text"].GetOptions().Extensions[options.personal]
    assert fields["customer"].GetOptions().Extensions[options.subject]
    for message in (api.SendMessageRequest, api.MessageItem, api.GiveInformationRequest):
        text = message.DESCRIPTOR.fields_by_name["text"]
        assert text.GetOptions().Extensions[options.personal]
    assert events.MessageReceived.DESCRIPTOR.full_name in CODEC.types


FROM: dict[str, Any] = {"source": "mail", "source_id": "m1", "say_time": day(0)}


async def test_the_same_message_again_is_the_same_turn(desk: Desk) -> None:
    """A system's message stands once: again it is answered as it stood, otherwise refused."""
    first = await receive(desk.at(1), **FROM, thread_id="t1")
    await send(desk, of(first))
    assert await receive(desk.at(2), **FROM, thread_id="t1") == first
    answer = await refused(receive(desk, **FROM, thread_id="t1", text="other"))
    assert (answer.code, answer.info.reason) == (StatusCode.ALREADY_EXISTS, "SOURCE_ID_REUSED")
    await desk.projection.wait(await desk.store.head())
    answer = await refused(receive(desk, **FROM, thread_id="t2"))
    assert answer.info.metadata["conversation"] == of(first)


async def test_a_repeated_request_says_it_once(desk: Desk) -> None:
    """The same request id gives the first turn, whatever was said since."""
    request_id = "8a2c4a3e-8d0f-4d0c-9a5e-6a5d5f1f0d01"
    first = await send(desk, request_id=request_id)
    await receive(desk, of(first))
    assert await send(desk, request_id=request_id) == first
    answer = await refused(send(desk, request_id=request_id, text="other"))
    assert answer.code is StatusCode.ALREADY_EXISTS


def item(number: int, **fields: Any) -> api.MessageItem:
    usual: dict[str, Any] = {
        "said_by": events.SIDE_CUSTOMER,
        "customer": "customers/7",
        "channel": CHAT,
        "text": f"message {number}",
        "say_time": day(number),
        "source": "chat",
        "source_id": str(number),
        "thread_id": f"t{number % 2}",
    }
    return api.MessageItem(**(usual | fields))


def why(status: Status) -> set[str]:
    """The fields that are wrong or name nothing; without any, the reason."""
    info, bad = ErrorInfo(), BadRequest()
    for detail in status.details:
        detail.Unpack(info) or detail.Unpack(bad)
    named = {violation.field for violation in bad.field_violations} or {info.metadata["field"]}
    return named - {""} or {info.reason}


async def test_an_import_again_changes_nothing(desk: Desk) -> None:
    """Messages of two threads stand in their order, errors by index; a re-run adds nothing."""
    ours = {"said_by": events.SIDE_ORGANISATION, "function": SERVICE}
    items = [
        *(item(number) for number in range(6)),
        item(6, **ours),
        item(7, said_by=events.SIDE_ORGANISATION),
        item(8, customer="customers/none"),
        item(9, feedback=["feedback/none"]),
        item(10, actions=["actions/none"]),
        item(1, text="other"),
        item(12, text="", source=""),
    ]
    first, again = [
        await desk.at(20).talk.ImportMessages(api.ImportMessagesRequest(messages=items))
        for _ in range(2)
    ]
    assert (first.created_count, first.unchanged_count, first.error_count) == (7, 0, 6)
    assert (again.created_count, again.unchanged_count, again.error_count) == (0, 7, 6)
    how = {error.index: why(error.status) for error in first.errors}
    assert how == {
        7: {"function"},
        8: {"customer"},
        9: {"feedback"},
        10: {"actions"},
        11: {"SOURCE_ID_REUSED"},
        12: {"text", "source"},
    }
    request = api.ListConversationsRequest(customer="customers/7", page_size=1)
    pages = await paged(desk, "ListConversations", request, "conversations", desk.talk)
    counts = [(each.received_count, each.sent_count) for page in pages for each in page]
    assert counts == [(3, 1), (3, 0)]
    turns = api.ListTurnsRequest(parent=pages[0][0].name, page_size=3)
    shown = await paged(desk, "ListTurns", turns, "turns", desk.talk)
    assert [[turn.said.text for turn in page] for page in shown] == [
        ["message 0", "message 2", "message 4"],
        ["message 6"],
    ]

    async def batches() -> Any:
        for each in items:
            yield api.ImportMessagesRequest(messages=[each])

    streamed = await desk.talk.ImportMessagesStream(batches())
    assert (streamed.created_count, streamed.unchanged_count) == (0, 7)


async def test_turns_page_to_their_end_while_others_come(desk: Desk) -> None:
    """Pages show each turn once, in order, and those that come meanwhile at the end."""
    here = of(await receive(desk))
    for _ in range(4):
        await send(desk, here)
    request, seen = api.ListTurnsRequest(parent=here, page_size=2), list[str]()
    while True:
        page = await desk.talk.ListTurns(request)
        seen += [turn.name for turn in page.turns]
        if len(seen) == 2:
            await receive(desk, here)
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert seen == [f"{here}/turns/{number}" for number in range(1, 7)]


async def test_what_a_turn_names_must_be_there(desk: Desk) -> None:
    """Unknown customers, conversations, feedback and actions are NOT_FOUND, each by its field."""
    for fields, field in (
        ({"customer": "customers/none"}, "customer"),
        ({"conversation": "conversations/none", "customer": ""}, "conversation"),
        ({"feedback": ["feedback/none"]}, "feedback"),
        ({"actions": ["actions/none"]}, "actions"),
    ):
        answer = await refused(receive(desk, **fields))
        assert (answer.code, answer.info.metadata["field"]) == (StatusCode.NOT_FOUND, field)
    for method, request in (
        ("GetConversation", api.GetConversationRequest(name="conversations/none")),
        ("ListTurns", api.ListTurnsRequest(parent="conversations/none")),
    ):
        assert (await refused(getattr(desk.talk, method)(request))).code is StatusCode.NOT_FOUND


@pytest.fixture
async def history(desk: Desk) -> Desk:
    """Worked by hand, in hours of day 0; customer 7 is in segment gold.

    A (7, mail): at 0 to service "where?", at 1 "hello?" (for service: it was not said to whom, and
    nobody had spoken yet: for nobody); service answers at 5. At 6 "thanks" (for service, which
    spoke last). B (8, chat): at 0 to research, which answers at 2. C (8, chat): we send at 3, and
    hear nothing. D (7, mail): at 10 to research, no answer.
    """
    await Dispatch(desk).label("7", "gold")
    a = of(await receive(desk.at(0), function=SERVICE))
    await receive(desk.at(1 * HOUR), a)
    await send(desk.at(5 * HOUR), a)
    await receive(desk.at(6 * HOUR), a)
    b = of(await receive(desk.at(0), customer="customers/8", channel=CHAT, function=RESEARCH))
    await send(desk.at(2 * HOUR), b, channel=CHAT, function=RESEARCH)
    await send(desk.at(3 * HOUR), customer="customers/8", channel=CHAT, function=RESEARCH)
    await receive(desk.at(10 * HOUR), function=RESEARCH)
    return desk.at(12 * HOUR)


async def ratio(desk: Desk, **asked: Any) -> api.TwoWayRatio:
    answer: api.TwoWayRatio = await desk.ask(
        "GetTwoWayRatio", api.GetTwoWayRatioRequest(**asked), desk.talk
    )
    return answer


async def test_how_much_each_side_says(history: Desk) -> None:
    """5 turns received, 3 sent; of 4 conversations A and B go both ways."""
    whole = await ratio(history)
    assert whole == api.TwoWayRatio(
        as_of=day(12 * HOUR),
        received_count=5,
        sent_count=3,
        received_per_sent=5 / 3,
        conversation_count=4,
        two_way_count=2,
        two_way_share=0.5,
    )


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"channel": CHAT}, (1, 2, 2, 1)),
        ({"segment": "gold"}, (4, 1, 2, 1)),
        ({"segment": "silver"}, (0, 0, 0, 0)),
        ({"start_time": day(1 * HOUR), "end_time": day(5 * HOUR)}, (1, 2, 3, 0)),
    ],
)
async def test_the_ratio_is_narrowed(
    history: Desk, asked: dict[str, Any], expected: tuple[int, ...]
) -> None:
    """By channel, by segment, by window (its end left out): only those turns are counted."""
    found = await ratio(history, **asked)
    assert (
        found.received_count,
        found.sent_count,
        found.conversation_count,
        found.two_way_count,
    ) == expected
    assert found.HasField("received_per_sent") == bool(expected[1])


async def test_information_is_counted(desk: Desk) -> None:
    """Asked by whom, and given since: one of two by us, none by the customer."""
    names = []
    for number in range(3):
        ask = api.RequestInformationRequest(
            customer="customers/7",
            function=SERVICE,
            channel=EMAIL,
            text="which?",
            asked_by=events.SIDE_ORGANISATION if number else events.SIDE_CUSTOMER,
        )
        names.append((await desk.talk.RequestInformation(ask)).name)
    give = api.GiveInformationRequest(request=names[1], channel=EMAIL, text="this")
    await desk.talk.GiveInformation(give)
    found = await ratio(desk)
    assert (
        found.asked_by_us_count,
        found.given_to_us_count,
        found.asked_by_customers_count,
        found.given_to_customers_count,
    ) == (2, 1, 1, 0)


async def responses(desk: Desk, **asked: Any) -> api.ResponseTimes:
    request = api.GetResponseTimesRequest(**asked)
    answer: api.ResponseTimes = await desk.ask("GetResponseTimes", request, desk.talk)
    return answer


def figures(found: api.ResponseTime) -> tuple[int, int, int, float | None, float | None]:
    return (
        found.received_count,
        found.answered_count,
        found.waiting_count,
        found.median_time.seconds / 3600 if found.HasField("median_time") else None,
        round(found.within_share, 9) if found.HasField("within_share") else None,
    )


async def test_how_long_customers_wait(history: Desk) -> None:
    """Answered after 2 (B), 4 and 5 (A); waiting since 2 (D) and 6 hours (A's thanks), at 12.

    Kaplan–Meier: 1 - 1/5 = .8 after 2, D leaves, × (1 - 1/3) = .533 after 4, × (1 - 1/2) = .267
    after 5: the median is 5 hours; within 4 hours .467 were answered.
    """
    found = await responses(history, within=Duration(seconds=4 * 3600))
    assert figures(found.overall) == (5, 3, 2, 5, round(1 - 0.8 * 2 / 3, 9))
    assert [(each.function, *figures(each)) for each in found.functions] == [
        ("", 1, 1, 0, 4, 1),
        (RESEARCH, 2, 1, 1, 2, None),
        (SERVICE, 2, 1, 1, 5, 0),
    ]
    assert [(each.channel, *figures(each)) for each in found.channels] == [
        (EMAIL, 4, 2, 2, 5, round(1 / 3, 9)),
        (CHAT, 1, 1, 0, 2, 1),
    ]


async def test_waits_are_seen_as_they_were(history: Desk) -> None:
    """As of hour 3 nobody had answered A: 3 received, B alone answered; then a day is not known."""
    found = await responses(history, as_of=day(3 * HOUR))
    assert figures(found.overall) == (3, 1, 2, None, None)
    assert (found.as_of, found.within) == (day(3 * HOUR), Duration(seconds=86_400))
    only = await responses(history, function=SERVICE, segment="gold", channel=EMAIL)
    assert figures(only.overall)[:3] == (2, 1, 1)
    nothing = await responses(history, start_time=day(2))
    assert figures(nothing.overall) == (0, 0, 0, None, None)
    assert not nothing.functions


async def test_turns_may_come_in_any_order(desk: Desk) -> None:
    """An answer that is imported first, or between, is the answer to all that was said before."""
    ours = {"said_by": events.SIDE_ORGANISATION, "function": SERVICE, "thread_id": "t"}
    items = [
        item(5, **ours),
        item(1, thread_id="t"),
        item(3, **ours),
        item(4, thread_id="t"),
        item(6, thread_id="t"),
        item(2, **ours),
    ]
    await desk.at(8).talk.ImportMessages(api.ImportMessagesRequest(messages=items))
    found = await responses(desk)
    assert figures(found.overall) == (3, 2, 1, 24, round(2 / 3, 9))
    assert (desk.now - DAY_0).days == 8


async def test_at_one_instant_the_later_turn_answers(desk: Desk) -> None:
    """What we said before a customer's words of the same instant is no answer; what follows is."""
    here = of(await send(desk.at(1)))
    await receive(desk, here)
    assert figures((await responses(desk)).overall)[:3] == (1, 0, 1)
    await send(desk, here)
    assert figures((await responses(desk)).overall)[:4] == (1, 1, 0, 0)


async def test_questions_that_make_no_sense(desk: Desk) -> None:
    """A window that ends before it begins, a bound of nothing, a channel that there is not."""
    never: Any = 99
    answer = await refused(responses(desk, start_time=day(1), end_time=day(0)))
    assert answer.fields.keys() == {"end_time"}
    answer = await refused(responses(desk, within=Duration(), channel=never))
    assert answer.fields.keys() == {"within", "channel"}
