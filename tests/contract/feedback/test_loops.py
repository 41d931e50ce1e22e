"""Which feedback turned into action, on a history small enough to be worked out by hand.

    day   what happens
    0     f1: customer 7 on the web, about battery
    1     f2: customer 7 on the web, about battery
    2     f3: customer 8 by mail, about battery and price
    3     f4: customer 8 on the web, about price
    4     f5: somebody unknown on the web, about nothing that has a name
    5     action A is committed for f1, f2 and f3
    6     action B is committed for f3 and f4; f3 is coded again: it is about screen
    8     A is completed
    9     f1 is told of A
    10    B is declined
    12    f3 is told of B

f3 has two actions, A has three items: five links in all. In the end f4 has an action that was
declined and none that was completed; f2 waits although its action is done; f5 has no action.
"""

from typing import Any

import pytest
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode

from tests.contract.chassis.serving import refused
from tests.contract.feedback.desk import Desk, day, names, paged

DAY = 86_400


class Story:
    """The history above, and what is asked of it on day 20."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.f: dict[int, str] = {}
        self.a = self.b = ""

    async def happen(self) -> "Story":
        """Let it happen."""
        desk = self.desk
        for number, customer, channel, *themes in (
            (1, "7", events.CHANNEL_WEB, "battery"),
            (2, "7", events.CHANNEL_WEB, "battery"),
            (3, "8", events.CHANNEL_EMAIL, "battery", "price"),
            (4, "8", events.CHANNEL_WEB, "price"),
            (5, "", events.CHANNEL_WEB),
        ):
            said = await desk.at(number - 1).record(customer, channel=channel)
            self.f[number] = said.name
            if themes:
                await desk.code(said.name, *themes)
        self.a = (await desk.at(5).commit(*(self.f[n] for n in (1, 2, 3)))).name
        self.b = (await desk.at(6).commit(*(self.f[n] for n in (3, 4)))).name
        await desk.code(self.f[3], "screen")
        await desk.at(8).complete(self.a)
        await desk.at(9).tell(self.a, self.f[1])
        await desk.at(10).decline(self.b)
        await desk.at(12).tell(self.b, self.f[3])
        desk.at(20)
        return self

    async def funnel(self, **asked: Any) -> api.FeedbackToAction:
        """Ask how far feedback came."""
        request = api.GetFeedbackToActionRequest(**asked)
        answer: api.FeedbackToAction = await self.desk.ask("GetFeedbackToAction", request)
        return answer

    async def open(self, **asked: Any) -> list[list[api.OpenLoop]]:
        """Ask who waits, page by page."""
        request = api.ListOpenLoopsRequest(**asked)
        return await paged(self.desk, "ListOpenLoops", request, "open_loops")


@pytest.fixture
async def story(desk: Desk) -> Story:
    return await Story(desk).happen()


def counts(answer: api.FeedbackToAction) -> tuple[int, ...]:
    """received, linked, committed, completed, declined, told, open; links."""
    return (
        answer.received_count,
        answer.linked_count,
        answer.committed_count,
        answer.completed_count,
        answer.declined_count,
        answer.told_count,
        answer.open_count,
        answer.link_count,
    )


async def test_the_funnel_counts_items_not_links(story: Story) -> None:
    """All: 5 received, 4 linked, 3 not declined, 3 completed, 1 only declined, 2 told; 5 links."""
    answer = await story.funnel()
    assert counts(answer) == (5, 4, 3, 3, 1, 2, 3, 5)
    assert answer.feedback_to_action == pytest.approx(3 / 5)
    assert answer.closed_loop_rate == pytest.approx(2 / 5)
    assert answer.as_of == day(20)


async def test_the_median_counts_those_who_wait(story: Story) -> None:
    """Told after 9 (f1) and 10 days (f3): S = 4/5, then 3/5 among five; 2/3, then 1/3 among three.

    Of all five more than half still wait, so there is no median; of f1 to f3 it is 10 days.
    """
    assert not (await story.funnel()).HasField("median_time_to_close")
    answer = await story.funnel(end_time=day(3))
    assert counts(answer)[:1] == (3,)
    assert answer.median_time_to_close.seconds == 10 * DAY


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        (-1, (0, 0, 0, 0, 0, 0, 0, 0)),
        (2, (3, 0, 0, 0, 0, 0, 3, 0)),
        (5, (5, 3, 3, 0, 0, 0, 5, 3)),
        (5.5, (5, 3, 3, 0, 0, 0, 5, 3)),
        (9, (5, 4, 4, 3, 0, 1, 4, 5)),
        (10, (5, 4, 3, 3, 1, 1, 4, 5)),
        (12, (5, 4, 3, 3, 1, 2, 3, 5)),
        (1000, (5, 4, 3, 3, 1, 2, 3, 5)),
    ],
)
async def test_the_past_is_as_it_was(story: Story, as_of: float, expected: tuple[int, ...]) -> None:
    """What had not happened by then does not count; what happens at the instant itself does."""
    answer = await story.funnel(as_of=day(as_of))
    assert (counts(answer), answer.as_of) == (expected, day(as_of))


async def test_a_wait_ends_at_the_instant_asked_for(story: Story) -> None:
    """As of day 9 only f1 was told: of f1 alone the median is 9 days, as of day 8 there is none."""
    answer = await story.funnel(end_time=day(1), as_of=day(9))
    assert answer.median_time_to_close.seconds == 9 * DAY
    assert not (await story.funnel(end_time=day(1), as_of=day(8))).HasField("median_time_to_close")


@pytest.mark.parametrize(("now", "as_of"), [(16, 16), (100, 16), (16, 1000)])
async def test_nobody_waits_longer_than_until_now(desk: Desk, now: float, as_of: float) -> None:
    """One told after 15 days; two who have waited 6 left the risk set before: the median is 15.

    Were they counted at 15 days, two thirds would still wait then.
    """
    told = (await desk.at(0).record("7")).name
    for _ in range(2):
        await desk.at(10).record()
    action = await desk.at(14).commit(told)
    await desk.complete(action.name)
    await desk.at(15).tell(action.name)
    answer = await Story(desk.at(now)).funnel(as_of=day(as_of))
    assert answer.median_time_to_close.seconds == 15 * DAY


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"start_time": day(2), "end_time": day(4)}, (2, 2, 1, 1, 1, 1, 1, 3)),
        ({"start_time": day(4)}, (1, 0, 0, 0, 0, 0, 1, 0)),
        ({"end_time": day(0)}, (0, 0, 0, 0, 0, 0, 0, 0)),
        ({"theme": "battery"}, (2, 2, 2, 2, 0, 1, 1, 2)),
        ({"theme": "screen"}, (1, 1, 1, 1, 0, 1, 0, 2)),
        ({"theme": "price"}, (1, 1, 0, 0, 1, 0, 1, 1)),
        ({"channel": events.CHANNEL_EMAIL}, (1, 1, 1, 1, 0, 1, 0, 2)),
        ({"channel": events.CHANNEL_WEB, "theme": "battery"}, (2, 2, 2, 2, 0, 1, 1, 2)),
    ],
    ids=str,
)
async def test_the_funnel_is_narrowed(
    story: Story, asked: dict[str, Any], expected: tuple[int, ...]
) -> None:
    """From an instant until before another, by the theme of the latest coding, and by channel."""
    assert counts(await story.funnel(**asked)) == expected


async def test_nothing_received_is_no_division(desk: Desk) -> None:
    """Without any feedback all counts and both rates are zero."""
    answer = await Story(desk).funnel()
    assert counts(answer) == (0,) * 8
    assert (answer.feedback_to_action, answer.closed_loop_rate) == (0, 0)


async def test_feedback_of_long_ago_counts(desk: Desk) -> None:
    """A letter from before 1970 is in the window that has no beginning."""
    await desk.record(receive_time=Timestamp(seconds=-DAY * 1000))
    assert counts(await Story(desk).funnel())[0] == 1


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({"start_time": day(2), "end_time": day(1)}, {"end_time"}),
        ({"as_of": Timestamp(seconds=1 << 60), "channel": 99}, {"as_of", "channel"}),
        ({"theme": "No Theme"}, {"theme"}),
    ],
    ids=str,
)
async def test_a_window_that_makes_no_sense_is_refused(
    story: Story, asked: dict[str, Any], wrong: set[str]
) -> None:
    """An end before the beginning, an instant that there is not, a theme that cannot be one."""
    answer = await refused(story.funnel(**asked))
    assert (answer.code, set(answer.fields)) == (StatusCode.INVALID_ARGUMENT, wrong)


async def test_who_waits_is_listed_oldest_first(story: Story) -> None:
    """f2, f4 and f5 wait: since when, how long, about what, and what was promised."""
    (page,) = await story.open()
    assert page == [
        api.OpenLoop(
            feedback=story.f[2],
            customer="customers/7",
            receive_time=day(1),
            age=Duration(seconds=19 * DAY),
            channel=events.CHANNEL_WEB,
            themes=["battery"],
            actions=[story.a],
            functions=["functions/research"],
        ),
        api.OpenLoop(
            feedback=story.f[4],
            customer="customers/8",
            receive_time=day(3),
            age=Duration(seconds=17 * DAY),
            channel=events.CHANNEL_WEB,
            themes=["price"],
            actions=[story.b],
            functions=["functions/research"],
        ),
        api.OpenLoop(
            feedback=story.f[5],
            receive_time=day(4),
            age=Duration(seconds=16 * DAY),
            channel=events.CHANNEL_WEB,
        ),
    ]
    ((loop,),) = await story.open(theme="price")
    assert loop.feedback == story.f[4]


async def test_open_loops_are_read_to_the_end(desk: Desk) -> None:
    """Items received at one and the same instant are each listed once, with the total."""
    said = [(await desk.record()).name for _ in range(5)]
    pages = await Story(desk).open(page_size=2)
    assert [[loop.feedback for loop in page] for page in pages] == [said[:2], said[2:4], said[4:]]
    answer = await desk.ask("ListOpenLoops", api.ListOpenLoopsRequest(page_size=1))
    assert answer.total_size == 5


async def test_the_way_of_one_item_is_traced(story: Story) -> None:
    """f3: its words, two codings, two promises and their ends, and its own telling; no other's."""
    trace = await story.desk.ask("TraceFeedback", api.TraceFeedbackRequest(name=story.f[3]))
    assert trace.told
    assert [action.name for action in trace.actions] == [story.a, story.b]
    assert trace.feedback.name == story.f[3]
    steps = [(step.event_type.rsplit(".", 1)[1], step.resource) for step in trace.steps]
    assert steps == [
        ("FeedbackReceived", story.f[3]),
        ("FeedbackCoded", story.f[3]),
        ("ActionCommitted", story.a),
        ("ActionCommitted", story.b),
        ("FeedbackCoded", story.f[3]),
        ("ActionCompleted", story.a),
        ("ActionDeclined", story.b),
        ("LoopClosed", story.b),
    ]
    positions = [step.position for step in trace.steps]
    assert positions == sorted(set(positions))
    assert [step.event_time for step in trace.steps][-1] == day(12)
    assert len({step.event_id for step in trace.steps}) == len(steps)
    assert "the battery dies" not in str([step.summary for step in trace.steps])
    assert trace.steps[0].summary == "received by email"
    assert trace.steps[-2].summary == "declined: too heavy"


async def test_what_nobody_answered_has_a_short_way(story: Story) -> None:
    """f5 was received, and that is all."""
    trace = await story.desk.ask("TraceFeedback", api.TraceFeedbackRequest(name=story.f[5]))
    assert (trace.told, len(trace.actions), len(trace.steps)) == (False, 0, 1)


async def test_the_history_is_the_one_above(story: Story) -> None:
    """Sixteen events, in the order of the table."""
    assert len(await names(story.desk.store)) == 5 + 4 + 2 + 1 + 1 + 1 + 1 + 1
