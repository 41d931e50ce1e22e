"""Questions among members as callers meet them: asked, shared, answered, accepted, listed."""

from typing import Any

from equiloop.feedback.v1 import community_service_pb2 as api
from grpc import StatusCode

from tests.contract.chassis.serving import refused
from tests.contract.feedback.desk import Desk, day, paged
from tests.contract.feedback.market import identify, say

FIRST = "8a2c4a3e-8d0f-4d0c-9a5e-6a5d5f1f0e01"


async def ask(desk: Desk, asker: str = "customers/7", **fields: Any) -> api.Question:
    usual: dict[str, Any] = {"asker": asker, "text": "How long does it last?"}
    answer: api.Question = await desk.community.AskCommunity(
        api.AskCommunityRequest(**(usual | fields))
    )
    return answer


async def share(desk: Desk, name: str, member: str = "customers/8", **more: Any) -> api.Question:
    request = api.ShareQuestionRequest(name=name, member=member, **more)
    answer: api.Question = await desk.community.ShareQuestion(request)
    return answer


async def reply(desk: Desk, name: str, member: str = "employees/eva", **more: Any) -> api.Question:
    request = api.AnswerNeedRequest(name=name, member=member, text="Two days", **more)
    answer: api.Question = await desk.community.AnswerNeed(request)
    return answer


async def accept(desk: Desk, name: str, answer: str, **more: Any) -> api.Question:
    usual: dict[str, Any] = {"name": name, "answer": answer, "member": "customers/7"}
    closed: api.Question = await desk.community.AcceptAnswer(
        api.AcceptAnswerRequest(**(usual | more))
    )
    return closed


async def open_needs(desk: Desk, **asked: Any) -> list[api.OpenNeed]:
    request = api.ListOpenNeedsRequest(page_size=2, **asked)
    pages = await paged(desk, "ListOpenNeeds", request, "open_needs", desk.community)
    return [each for page in pages for each in page]


async def test_a_question_meets_its_answer(desk: Desk) -> None:
    """Asked, shared, answered twice and accepted: all of it is shown, and found again."""
    need = (await identify(desk, await say(desk, "7"))).name
    asked = await ask(desk.at(1), language_code="en")
    await share(desk, asked.name)
    await reply(desk.at(2), asked.name, "customers/8", language_code="en")
    await reply(desk.at(3), asked.name)
    closed = await accept(desk.at(4), asked.name, f"{asked.name}/answers/2", need=need, etag="3")
    assert closed == api.Question(
        name=asked.name,
        asker="customers/7",
        text="How long does it last?",
        language_code="en",
        need=need,
        ask_time=day(1),
        head_count=2,
        answers=[
            api.Answer(
                name=f"{asked.name}/answers/1",
                member="customers/8",
                text="Two days",
                language_code="en",
                answer_time=day(2),
            ),
            api.Answer(
                name=f"{asked.name}/answers/2",
                member="employees/eva",
                text="Two days",
                answer_time=day(3),
                accepted=True,
            ),
        ],
        closed=True,
        create_time=day(1),
        update_time=day(4),
        etag="4",
    )
    get = api.GetQuestionRequest(name=asked.name)
    assert await desk.community.GetQuestion(get) == closed


async def test_the_unanswered_come_first(desk: Desk) -> None:
    """Of four questions one is closed, one answered: the others first, by age, with their heads."""
    first, second, third, fourth = [(await ask(desk.at(number))).name for number in range(4)]
    await reply(desk, first)
    await reply(desk, second)
    await accept(desk, second, f"{second}/answers/1")
    await share(desk, fourth)
    found = await open_needs(desk.at(10))
    assert [(each.question, each.answer_count, each.head_count) for each in found] == [
        (third, 0, 1),
        (fourth, 0, 2),
        (first, 1, 1),
    ]
    assert [each.age.seconds for each in found] == [8 * 86_400, 7 * 86_400, 10 * 86_400]
    whole = await desk.ask("ListOpenNeeds", api.ListOpenNeedsRequest(), desk.community)
    assert (whole.total_size, whole.unanswered_count) == (3, 2)


async def test_questions_page_to_their_end_while_answers_come(desk: Desk) -> None:
    """What is answered after it was shown is not shown again; what was there is not missed."""
    there = [(await ask(desk)).name for _ in range(7)]
    await reply(desk, there[2])
    request, seen = api.ListOpenNeedsRequest(page_size=2), list[str]()
    while True:
        page = await desk.ask("ListOpenNeeds", request, desk.community)
        seen += [each.question for each in page.open_needs]
        if len(seen) == 2:
            for name in (there[0], there[2], there[4], there[6]):
                await reply(desk, name)
            await ask(desk)
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert seen[-1] == there[2]
    assert len(seen) == len(set(seen))
    assert set(there) <= set(seen)


async def test_questions_of_a_need(desk: Desk) -> None:
    """Only those that speak of it, by what the asker said."""
    need = (await identify(desk, await say(desk, "7"))).name
    asked = (await ask(desk, need=need)).name
    await ask(desk)
    assert [each.question for each in await open_needs(desk, need=need)] == [asked]


async def test_members_and_needs_must_be_there(desk: Desk) -> None:
    """Unknown customers, needs, questions, answers are NOT_FOUND; employees need not be known."""
    asked = (await ask(desk, "employees/otto")).name
    for call, field in (
        (ask(desk, "customers/none"), "asker"),
        (ask(desk, need="needs/none"), "need"),
        (share(desk, asked, "customers/none"), "member"),
        (reply(desk, asked, "customers/none"), "member"),
        (accept(desk, asked, f"{asked}/answers/1", need="needs/none"), "need"),
        (accept(desk, asked, f"{asked}/answers/1", member="employees/otto"), "answer"),
    ):
        answer = await refused(call)
        assert (answer.code, answer.info.metadata["field"]) == (StatusCode.NOT_FOUND, field)
    none = "questions/none"
    for missing in (share(desk, none), reply(desk, none), accept(desk, none, f"{none}/answers/1")):
        assert (await refused(missing)).code is StatusCode.NOT_FOUND
    get = desk.community.GetQuestion(api.GetQuestionRequest(name=none))
    assert (await refused(get)).code is StatusCode.NOT_FOUND
    stranger = await refused(accept(desk, asked, f"{asked}/answers/1", member="customers/8"))
    assert stranger.info.reason == "NOT_THE_ASKER"


async def test_calls_repeated_and_stale(desk: Desk) -> None:
    """The same request id asks once; an etag of before is ABORTED."""
    first = await ask(desk, request_id=FIRST)
    await share(desk, first.name)
    assert await ask(desk, request_id=FIRST) == first
    for call in (
        share(desk, first.name, "employees/eva", etag="0"),
        reply(desk, first.name, etag="0"),
    ):
        assert (await refused(call)).code is StatusCode.ABORTED


async def test_the_longest_question_fits_a_message(desk: Desk) -> None:
    """A hundred answers of 5,000 characters of three bytes each are answered at once."""
    name = (await ask(desk)).name
    words = "語" * 5_000
    for _ in range(100):
        request = api.AnswerNeedRequest(name=name, member="employees/eva", text=words)
        await desk.community.AnswerNeed(request)
    found = await desk.community.GetQuestion(api.GetQuestionRequest(name=name))
    assert [len(answer.text) for answer in found.answers] == [5_000] * 100
