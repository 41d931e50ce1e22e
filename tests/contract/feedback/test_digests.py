"""What the market said, brought before functions; and decisions that it changed."""

from datetime import timedelta
from typing import Any

from equiloop.feedback.v1 import market_events_pb2 as events
from equiloop.feedback.v1 import market_service_pb2 as api
from equiloop.feedback.v1 import routing_events_pb2 as routing
from google.protobuf.duration_pb2 import Duration
from google.type.money_pb2 import Money
from grpc import StatusCode

from tests.contract.chassis.serving import refused
from tests.contract.feedback.desk import Desk, day, paged
from tests.contract.feedback.market import (
    decided,
    deliver,
    happen,
    identify,
    reject,
    say,
    validate,
)

FIRST = "8a2c4a3e-8d0f-4d0c-9a5e-6a5d5f1f0c01"
RESEARCH, SERVICE = "functions/research", "functions/service"


def rounded(digest: api.Digest) -> api.Digest:
    """A mean of floats is compared to nine digits."""
    parts: list[Any] = [digest.delivered, *digest.delivered.themes]
    for part in parts:
        if part.HasField("mean_sentiment"):
            part.mean_sentiment = round(part.mean_sentiment, 9)
    return digest


async def test_a_digest_says_what_the_market_said(desk: Desk) -> None:
    """Worked by hand: of day 0 to day 10, delivered on day 10, with two days to read it.

    Before the window customer 7 (500 EUR) said "battery" on day -1, and still waits. In it, 7 said
    "battery" (sentiment -0.5), 8 (20 EUR) "battery" and "price" (-0.1) and was told, an unknown
    "price" (0.3), and 8 something whose last coding says nothing. At its end, which is outside, 7
    said "battery" once more. So received 4, open 5 (7 three times, the unknown, 8's last), heads 2
    and 520 EUR at stake, and a mean sentiment of
    (-0.5 - 0.1 + 0.3)/3 = -0.1 of 3. Battery: received 2, open 3, head 7, 500 EUR, mean -0.3.
    Price: received 2, open 1, no head, mean 0.1.
    """
    desk.worth.cents = {"customers/7": 50_000, "customers/8": 2_000}
    early = await say(desk, "7", "battery", receive_time=day(-1))
    await say(desk, "7", "battery", receive_time=day(0), sentiment=-0.5)
    told = await say(desk, "8", "battery", "price", receive_time=day(1), sentiment=-0.1)
    await say(desk, "", "price", receive_time=day(2), sentiment=0.3)
    await say(desk, "7", "battery", receive_time=day(10), sentiment=-1.0)
    bare = await say(desk, "8", "screen", receive_time=day(3), sentiment=0.9)
    await desk.code(bare, without_sentiment=True)
    action = await desk.commit(told)
    await desk.complete(action.name)
    await desk.tell(action.name)
    for at, again in ((-0.5, False), (8, True)):  # before the window; judged otherwise since
        other = await identify(desk.at(at), told)
        await validate(desk, other.name)
        if again:
            await reject(desk, other.name)
    need = await identify(desk, told, early)
    await validate(desk.at(9), need.name)
    for function, at in ((RESEARCH, 4.0), (RESEARCH, 10.0), (SERVICE, 4.0)):
        missed = routing.LoopSlaBreached(feedback=early, function=function, deadline=day(at))
        await happen(desk, "route", missed)
    head = await desk.store.head()
    digest = await deliver(desk.at(10), start_time=day(0))
    assert rounded(digest) == api.Digest(
        name=digest.name,
        delivered=events.MarketDigestDelivered(
            event_time=day(10),
            digest=digest.name,
            function=RESEARCH,
            start_time=day(0),
            end_time=day(10),
            acknowledge_by=day(12),
            received_count=4,
            open_count=5,
            customer_count=2,
            equity_at_stake=Money(currency_code="EUR", units=520),
            mean_sentiment=-0.1,
            sentiment_count=3,
            themes=[
                events.DigestTheme(
                    theme="battery",
                    received_count=2,
                    open_count=3,
                    customer_count=1,
                    equity_at_stake=Money(currency_code="EUR", units=500),
                    rank_by_heads=1,
                    rank_by_equity=1,
                    mean_sentiment=-0.3,
                ),
                events.DigestTheme(
                    theme="price",
                    received_count=2,
                    open_count=1,
                    equity_at_stake=Money(currency_code="EUR"),
                    rank_by_heads=2,
                    rank_by_equity=2,
                    mean_sentiment=0.1,
                ),
            ],
            theme_count=2,
            needs_validated=[
                events.DigestNeed(need=need.name, title="a day without a socket", feedback_count=2)
            ],
            needs_validated_count=1,
            breach_count=1,
            position=head,
        ),
        state=api.DIGEST_STATE_DELIVERED,
        create_time=day(10),
        update_time=day(10),
        etag="0",
    )


async def test_figures_never_change(desk: Desk) -> None:
    """What is said after delivery, and a later value, leave the digest as it was delivered."""
    desk.worth.cents = {"customers/7": 100}
    await say(desk, "7", "battery")
    first = await deliver(desk.at(1), start_time=day(0), request_id=FIRST)
    desk.worth.cents = {"customers/7": 900}
    await say(desk, "7", "battery")
    assert await deliver(desk.at(2), start_time=day(0), request_id=FIRST) == first
    assert await desk.market.GetDigest(api.GetDigestRequest(name=first.name)) == first


async def test_a_repeated_call_is_answered_when_the_deadline_has_passed(desk: Desk) -> None:
    """The same request gives the digest as it was delivered, though it could not be now."""
    fields: dict[str, Any] = {"start_time": day(0), "acknowledge_by": day(2)}
    first = await deliver(desk.at(1), request_id=FIRST, **fields)
    assert await deliver(desk.at(3), request_id=FIRST, **fields) == first
    assert (await refused(deliver(desk, **fields))).fields.keys() == {"acknowledge_by"}


async def test_the_latest_needs_are_shown(desk: Desk) -> None:
    """Of 51 needs that were validated the latest 50 are shown, the last one first; all count."""
    said = await say(desk, "7")
    names = []
    for number in range(51):
        names.append((await identify(desk, said)).name)
        await validate(desk.at(number / 100), names[-1])
    digest = (await deliver(desk.at(1), start_time=day(0))).delivered
    assert [each.need for each in digest.needs_validated] == names[:0:-1]
    assert digest.needs_validated_count == 51


async def test_only_what_concerns_a_function(desk: Desk) -> None:
    """With themes named, feedback about others is neither listed nor counted."""
    desk.worth.cents = {"customers/7": 100, "customers/8": 300}
    await say(desk, "7", "battery", "price")
    await say(desk, "8", "screen")
    digest = (await deliver(desk.at(1), start_time=day(0), only_themes=["price"])).delivered
    assert [theme.theme for theme in digest.themes] == ["price"]
    assert (digest.received_count, digest.open_count, digest.equity_at_stake.units) == (1, 1, 1)


async def test_the_leaders_in_both_orders_are_heard(desk: Desk) -> None:
    """Of 45 themes, 40 have equity and one head, 5 have no equity and two: both lead their order.

    Shown are the first 20 by equity and the first 20 by heads, which are those 5 and 15 others.
    """
    await desk.customers("1", "2")
    desk.worth.cents = {"customers/7": 100}
    for number in range(5):
        for customer in ("1", "2"):
            await say(desk, customer, f"poor-{number}")
    rich = [f"rich-{number:02}" for number in range(40)]
    for part in (rich[:20], rich[20:]):
        await say(desk, "7", *part)
    digest = (await deliver(desk.at(1), start_time=day(0))).delivered
    shown = [theme.theme for theme in digest.themes]
    assert shown == [*rich[:20], *(f"poor-{number}" for number in range(5))]
    assert digest.theme_count == 45


async def test_a_digest_needs_no_equity(desk: Desk) -> None:
    """While customers cannot be valued the market is heard all the same, by heads."""
    desk.worth.cents = None
    await say(desk, "7", "battery")
    digest = (await deliver(desk.at(1), start_time=day(0))).delivered
    assert [(each.theme, each.rank_by_heads, each.rank_by_equity) for each in digest.themes] == [
        ("battery", 1, 0)
    ]
    assert not digest.HasField("equity_at_stake")


async def acknowledge(desk: Desk, name: str, **fields: Any) -> api.Digest:
    request = api.AcknowledgeDigestRequest(**({"name": name, "by": "people/7"} | fields))
    answer: api.Digest = await desk.market.AcknowledgeDigest(request)
    return answer


async def test_a_digest_is_read_in_time_or_late(desk: Desk) -> None:
    """Who read it, when, and whether in time stand beside it; reading it again changes nothing."""
    desk.worth.cents = {}
    soon, late = [await deliver(desk.at(1), start_time=day(0)) for _ in range(2)]
    read = await acknowledge(desk.at(3), soon.name, note="we knew", etag="0")
    assert (read.state, read.acknowledged_by, read.note, read.acknowledge_time, read.in_time) == (
        api.DIGEST_STATE_ACKNOWLEDGED,
        "people/7",
        "we knew",
        day(3),
        True,
    )
    assert not (await acknowledge(desk.at(3.01), late.name)).in_time
    assert (await acknowledge(desk, soon.name, by="people/8")).acknowledged_by == "people/7"
    answer = await refused(acknowledge(desk, "digests/none"))
    assert answer.code is StatusCode.NOT_FOUND


async def test_which_functions_heard_what(desk: Desk) -> None:
    """Delivered on day 1: research reads one in time, one late, service none; day 9 is outside.

    As of day 3.5 the late one was not read yet, and it is overdue since day 3 as service's is.
    """
    desk.worth.cents = {}
    await say(desk, "7", "battery")
    for function in (RESEARCH, RESEARCH, SERVICE):
        await deliver(desk.at(1), function=function, start_time=day(0))
    await deliver(desk.at(9), start_time=day(0))
    listed = await desk.ask("ListDigests", api.ListDigestsRequest(), desk.market)
    first, second, *_ = (digest.name for digest in listed.digests)
    await acknowledge(desk.at(2), first)
    await acknowledge(desk.at(4), second)

    async def voice(**asked: Any) -> api.MarketVoice:
        request = api.GetMarketVoiceRequest(end_time=day(9), **asked)
        answer: api.MarketVoice = await desk.at(10).ask("GetMarketVoice", request, desk.market)
        return answer

    def counts(said: Any) -> tuple[int, ...]:
        return (
            said.delivered_count,
            said.acknowledged_count,
            said.in_time_count,
            said.escalated_count,
            said.overdue_count,
        )

    now = await voice()
    assert [(each.function, counts(each)) for each in now.functions] == [
        (RESEARCH, (2, 2, 1, 0, 0)),
        (SERVICE, (1, 0, 0, 0, 1)),
    ]
    assert (counts(now), now.as_of, now.end_time) == ((3, 2, 1, 0, 1), day(10), day(9))
    assert list(now.functions[0].themes) == [api.HeardTheme(theme="battery", digest_count=2)]
    assert counts(await voice(as_of=day(3.5))) == (3, 1, 1, 0, 2)
    answer = await refused(voice(start_time=day(10)))
    assert answer.fields.keys() == {"end_time"}


async def test_digests_are_listed(desk: Desk) -> None:
    """By function, by state, page by page, in the order in which they were delivered."""
    desk.worth.cents = {}
    there = [
        (await deliver(desk.at(1), function=function, start_time=day(0))).name
        for function in (RESEARCH, SERVICE, RESEARCH, RESEARCH, RESEARCH)
    ]
    await acknowledge(desk, there[2])
    request = api.ListDigestsRequest(page_size=2, function=RESEARCH)
    pages = await paged(desk, "ListDigests", request, "digests", desk.market)
    assert [each.name for page in pages for each in page] == [there[0], *there[2:]]
    for state, expected in (
        (api.DIGEST_STATE_ACKNOWLEDGED, [there[2]]),
        (api.DIGEST_STATE_DELIVERED, [there[0], there[1], *there[3:]]),
        (api.DIGEST_STATE_ESCALATED, []),
    ):
        answer = await desk.ask("ListDigests", api.ListDigestsRequest(state=state), desk.market)
        assert [each.name for each in answer.digests] == expected


async def test_a_digest_goes_to_a_function_that_there_is(desk: Desk) -> None:
    """An unknown function is NOT_FOUND by its field, a window that lies ahead is named."""
    answer = await refused(deliver(desk, function="functions/none", start_time=day(-1)))
    assert (answer.code, answer.info.metadata["field"]) == (StatusCode.NOT_FOUND, "function")
    answer = await refused(deliver(desk, start_time=day(1)))
    assert answer.fields.keys() == {"start_time"}
    answer = await refused(deliver(desk, function="x", acknowledge_by=day(2), request_id="1"))
    assert answer.fields.keys() == {"start_time", "function", "request_id"}


async def test_a_schedule_is_set_and_withdrawn(desk: Desk) -> None:
    """A schedule is answered as it was set; withdrawn it is still there, and says so."""
    request = api.SetDigestScheduleRequest(
        function=RESEARCH,
        every=Duration(seconds=86_400),
        acknowledge_within=Duration(seconds=3600),
        only_themes=["price", "battery"],
    )
    plan = await desk.at(1).market.SetDigestSchedule(request)
    assert plan == api.DigestSchedule(
        name="digestSchedules/research",
        function=RESEARCH,
        every=Duration(seconds=86_400),
        acknowledge_within=Duration(seconds=3600),
        only_themes=["battery", "price"],
        start_time=day(1),
        create_time=day(1),
        update_time=day(1),
        etag="0",
    )
    withdraw = api.WithdrawDigestScheduleRequest(name=plan.name, reason="they moved", etag="0")
    over = await desk.at(2).market.WithdrawDigestSchedule(withdraw)
    assert (over.withdrawn, over.update_time, over.create_time) == (True, day(2), day(1))
    get = api.GetDigestScheduleRequest(name=plan.name)
    assert await desk.market.GetDigestSchedule(get) == over
    withdraw.etag = ""
    again = await refused(desk.market.WithdrawDigestSchedule(withdraw))
    assert again.info.reason == "SCHEDULE_WITHDRAWN"
    request.every.seconds, request.function = 60, "functions/none"
    assert (await refused(desk.market.SetDigestSchedule(request))).fields.keys() == {"every"}
    request.every.seconds = 3600
    answer = await refused(desk.market.SetDigestSchedule(request))
    assert answer.code is StatusCode.NOT_FOUND


async def test_decisions_show_what_changed_them(desk: Desk) -> None:
    """Three decisions for two functions: counted with what is behind them, each thing once.

    The window ends before the third; as of day 1 only the first was on record.
    """
    one, two = sorted([await say(desk, "7") for _ in range(2)])
    need = (await identify(desk, one)).name
    first = await decided(desk.at(1), [one, two], [], function=RESEARCH, decide_time=day(0))
    second = await decided(desk.at(2), [two], [need], function=SERVICE)
    third = await decided(desk.at(5), [two], [], function=RESEARCH)
    assert first == api.Decision(
        name=first.name,
        title="the next model",
        leader="managers/maria",
        function=RESEARCH,
        before="a thinner case",
        after="a larger battery",
        feedback=[one, two],
        decide_time=day(0),
        create_time=day(1),
    )
    assert await desk.market.GetDecision(api.GetDecisionRequest(name=first.name)) == first

    async def listening(**asked: Any) -> list[tuple[str, int, int, int]]:
        request = api.GetLeaderListeningRequest(end_time=day(5), **asked)
        answer = await desk.ask("GetLeaderListening", request, desk.market)
        overall = ("", answer.decision_count, answer.feedback_count, answer.need_count)
        return [overall] + [
            (each.function, each.decision_count, each.feedback_count, each.need_count)
            for each in answer.functions
        ]

    assert await listening() == [("", 2, 2, 1), (RESEARCH, 1, 2, 0), (SERVICE, 1, 1, 1)]
    assert await listening(as_of=day(1)) == [("", 1, 2, 0), (RESEARCH, 1, 2, 0)]
    for asked, expected in (
        ({"function": RESEARCH}, [first, third]),
        ({"feedback": one}, [first]),
        ({}, [first, second, third]),
    ):
        request = api.ListDecisionsRequest(page_size=2, **asked)
        pages = await paged(desk, "ListDecisions", request, "decisions", desk.market)
        assert [each for page in pages for each in page] == expected


async def test_a_decision_names_what_there_is(desk: Desk) -> None:
    """Unknown feedback, needs and functions are NOT_FOUND, each by its field."""
    said = await say(desk, "7")
    for feedback, needs, function, field in (
        (["feedback/none"], [], RESEARCH, "feedback"),
        ([said], ["needs/none"], RESEARCH, "needs"),
        ([said], [], "functions/none", "function"),
    ):
        answer = await refused(decided(desk, feedback, needs, function=function))
        assert (answer.code, answer.info.metadata["field"]) == (StatusCode.NOT_FOUND, field)


async def test_nothing_said_is_a_digest_too(desk: Desk) -> None:
    """An empty window gives a digest of zeros, without means and without equity asked for."""
    digest = (await deliver(desk.at(1), start_time=day(0))).delivered
    assert (digest.received_count, digest.theme_count, digest.sentiment_count) == (0, 0, 0)
    assert not digest.HasField("mean_sentiment")
    assert desk.worth.asked == []
    assert timedelta(days=2) == (
        digest.acknowledge_by.ToDatetime() - digest.event_time.ToDatetime()
    )
