"""What leaders ask of the promises: what stands in the way, what has changed, what is overdue.

    day   what happens (7 is worth 1,500 €, 8 is worth 25 €, 9 is not valued)
    0     f1, f2: customer 7; f3: customer 8; f4: customer 9; f5: nobody knows who
    1     A: an obstacle is to be removed for f1, f2 and f3, by service, until day 9
    2     B: another, for f3, f4 and f5, by research; it costs too much, and waits for approval
    3     C: a process is challenged because of f1 and f2, by service, until day 9
    4     D: a third obstacle, for f4, by service; removed on day 5
    6     E: C's process again, because of f4, by research; refused on day 7

On day 10 A and C are overdue: due on the tenth of May, which is day 9, and not done.
"""

from typing import Any

import pytest
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money
from grpc import StatusCode

from tests.contract.chassis.serving import refused
from tests.contract.feedback.desk import Desk, day, paged

DAY = 86_400
OBSTACLE, PROCESS = events.ACTION_KIND_OBSTACLE_REMOVAL, events.ACTION_KIND_PROCESS_CHANGE
SERVICE, RESEARCH = "functions/service", "functions/research"
TENTH = Date(year=2024, month=5, day=10)
COST = Money(currency_code="EUR", units=5000)


class Story:
    """The history above."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.f: dict[int, str] = {}
        self.a = self.b = self.c = self.d = self.e = ""

    async def happen(self) -> "Story":
        """Let it happen."""
        desk = self.desk
        await desk.customers("9")
        desk.worth.cents = {"customers/7": 150_000, "customers/8": 2_500}
        desk.limits.cents = {"managers/maria": 100_000, "managers/otto": 900_000}
        for number, customer in enumerate(("7", "7", "8", "9", ""), 1):
            self.f[number] = (await desk.record(customer)).name
        self.a = await self.commit(1, (1, 2, 3), kind=OBSTACLE, owner=SERVICE, due_date=TENTH)
        costs: dict[str, Any] = {"cost": COST, "committed_by": "managers/maria"}
        self.b = await self.commit(2, (3, 4, 5), kind=OBSTACLE, owner=RESEARCH, **costs)
        self.c = await self.commit(3, (1, 2), kind=PROCESS, owner=SERVICE, due_date=TENTH)
        self.d = await self.commit(4, (4,), kind=OBSTACLE, owner=SERVICE)
        await desk.at(5).complete(self.d)
        self.e = await self.commit(6, (4,), kind=PROCESS, owner=RESEARCH)
        await desk.at(7).decline(self.e)
        desk.at(10)
        return self

    async def commit(self, number: int, items: tuple[int, ...], **fields: Any) -> str:
        """Promise something on a day."""
        action = await self.desk.at(number).commit(*(self.f[n] for n in items), **fields)
        return action.name

    async def actions(self, **asked: Any) -> list[str]:
        """Ask for actions, and answer their letters."""
        request = api.ListActionsRequest(**asked)
        (page,) = await paged(self.desk, "ListActions", request, "actions")
        letters = {self.a: "A", self.b: "B", self.c: "C", self.d: "D", self.e: "E"}
        return [letters[action.name] for action in page]


@pytest.fixture
async def story(desk: Desk) -> Story:
    return await Story(desk).happen()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, "A B C D E"),
        ({"state": api.ACTION_STATE_COMMITTED}, "A C"),
        ({"state": api.ACTION_STATE_ESCALATED}, "B"),
        ({"state": api.ACTION_STATE_COMPLETED}, "D"),
        ({"state": api.ACTION_STATE_DECLINED}, "E"),
        ({"owner": SERVICE}, "A C D"),
        ({"owner": RESEARCH, "kind": PROCESS}, "E"),
        ({"kind": OBSTACLE}, "A B D"),
        ({"due_before": Date(year=2024, month=5, day=11)}, "A C"),
        ({"due_before": TENTH}, ""),
        ({"due_before": Date(year=2024, month=5, day=11), "kind": PROCESS}, "C"),
    ],
    ids=str,
)
async def test_actions_are_narrowed(story: Story, asked: dict[str, Any], expected: str) -> None:
    """By state, owner, kind and due day, together; one without a day is due before none."""
    assert await story.actions(**asked) == expected.split()


async def test_actions_follow_what_becomes_of_them(story: Story) -> None:
    """Approved, reopened, done: each list has the action as it now stands, in its first place."""
    await story.desk.approve(story.b)
    await story.desk.reopen(story.e)
    await story.desk.complete(story.a)
    assert await story.actions(state=api.ACTION_STATE_COMMITTED) == ["B", "C", "E"]
    assert await story.actions(state=api.ACTION_STATE_COMPLETED) == ["A", "D"]
    assert await story.actions() == ["A", "B", "C", "D", "E"]


async def test_what_was_refused_unapproved_waits_again_when_reopened(story: Story) -> None:
    """Nobody committed to it, so reopening commits nobody: the list says so, too."""
    await story.desk.decline(story.b)
    reopened = await story.desk.reopen(story.b)
    assert reopened.state == api.ACTION_STATE_ESCALATED
    assert await story.actions(state=api.ACTION_STATE_ESCALATED) == ["B"]


async def test_actions_are_read_to_the_end_while_others_come(story: Story) -> None:
    """Page by page in the order in which they were recorded; one that comes meanwhile is last."""
    request = api.ListActionsRequest(page_size=2)
    first = await story.desk.ask("ListActions", request)
    late = await story.commit(11, (5,), kind=PROCESS, owner=SERVICE)
    request.page_token = first.next_page_token
    pages = await paged(story.desk, "ListActions", request, "actions")
    names = [action.name for page in [list(first.actions), *pages] for action in page]
    assert names == [story.a, story.b, story.c, story.d, story.e, late]


async def test_what_stands_in_the_way_is_shown_with_whom_it_blocks(story: Story) -> None:
    """A blocks 7 and 8 (1,525 €), B blocks 8 and 9 (25 €); together 7, 8 and 9, each once."""
    answer = await story.desk.ask("ListObstacles", api.ListObstaclesRequest())
    assert [
        (obstacle.action.name, obstacle.age.seconds, obstacle.blocked)
        for obstacle in answer.obstacles
    ] == [
        (story.a, 9 * DAY, stake(2, 1525, heads=1, equity=1)),
        (story.b, 8 * DAY, stake(2, 25, heads=2, equity=2)),
    ]
    assert (answer.total_size, answer.blocked, answer.as_of) == (2, stake(3, 1525), day(10))
    assert answer.obstacles[1].action.state == api.ACTION_STATE_ESCALATED


def stake(count: int, units: int, *, heads: int = 0, equity: int = 0) -> api.Stake:
    return api.Stake(
        customer_count=count,
        equity=Money(currency_code="EUR", units=units),
        rank_by_heads=heads,
        rank_by_equity=equity,
    )


async def test_the_two_orders_of_obstacles_differ(story: Story) -> None:
    """Many who are worth little lead by heads, one who is worth much by equity; both are shown."""
    crowd = [(await story.desk.record(who)).name for who in ("8", "9")]
    await story.desk.link(story.b, *crowd, story.f[1])
    await story.desk.complete(story.a)
    await story.commit(10, (1,), kind=OBSTACLE, owner=SERVICE)
    await story.commit(10, (3, 4), kind=OBSTACLE, owner=SERVICE)
    answer = await story.desk.ask("ListObstacles", api.ListObstaclesRequest(owner=SERVICE))
    places = [(o.blocked.rank_by_equity, o.blocked.rank_by_heads) for o in answer.obstacles]
    assert places == [(1, 2), (2, 1)]
    answer = await story.desk.ask("ListObstacles", api.ListObstaclesRequest())
    assert answer.obstacles[0].blocked == stake(3, 1525, heads=1, equity=1)


async def test_an_obstacle_is_there_until_it_is_removed(story: Story) -> None:
    """Removed or refused it is gone; reopened it is back, as old as ever."""
    await story.desk.complete(story.a)
    await story.desk.decline(story.b)
    answer = await story.desk.ask("ListObstacles", api.ListObstaclesRequest())
    assert (list(answer.obstacles), answer.total_size, answer.blocked) == ([], 0, api.Stake())
    await story.desk.reopen(story.a)
    answer = await story.desk.ask("ListObstacles", api.ListObstaclesRequest())
    assert [(o.action.name, o.age.seconds) for o in answer.obstacles] == [(story.a, 9 * DAY)]


async def test_an_author_found_later_is_blocked_too(story: Story) -> None:
    """Feedback that finds its author counts for that customer, once."""
    attribute = api.AttributeFeedbackRequest(
        name=story.f[5], customer="customers/7", by="people/7", evidence="the order named"
    )
    await story.desk.stub.AttributeFeedback(attribute)
    answer = await story.desk.ask("ListObstacles", api.ListObstaclesRequest(owner=RESEARCH))
    assert answer.obstacles[0].blocked == stake(3, 1525, heads=1, equity=1)


async def test_before_there_is_equity_heads_are_shown(story: Story) -> None:
    """While customers cannot be valued, obstacles are listed by heads alone."""
    story.desk.worth.cents = None
    answer = await story.desk.ask("ListObstacles", api.ListObstaclesRequest())
    stakes = [obstacle.blocked for obstacle in answer.obstacles]
    assert stakes == [api.Stake(customer_count=2, rank_by_heads=place) for place in (1, 2)]
    assert answer.blocked == api.Stake(customer_count=3)


async def test_obstacles_are_read_to_the_end(story: Story) -> None:
    """One a page, each is shown once, and the places are those among all."""
    request = api.ListObstaclesRequest(page_size=1)
    pages = await paged(story.desk, "ListObstacles", request, "obstacles")
    assert [[obstacle.action.name for obstacle in page] for page in pages] == [[story.a], [story.b]]
    assert pages[1][0].blocked.rank_by_heads == 2


async def test_processes_are_shown_with_what_changed(story: Story) -> None:
    """C stands, E was refused, with its reason; done, C says what changed and because of whom."""
    answer = await story.desk.ask("ListProcessChanges", api.ListProcessChangesRequest())
    assert [(each.action.name, each.behind) for each in answer.process_changes] == [
        (story.c, stake(1, 1500, heads=1, equity=1)),
        (story.e, stake(1, 0, heads=2, equity=2)),
    ]
    assert answer.process_changes[1].action.outcome == "too heavy"
    await story.desk.complete(story.c)
    done = api.ListProcessChangesRequest(state=api.ACTION_STATE_COMPLETED)
    (change,) = (await story.desk.ask("ListProcessChanges", done)).process_changes
    assert (change.action.outcome, change.action.commit_time) == ("it lasts two days", day(3))
    assert list(change.action.feedback) == sorted([story.f[1], story.f[2]])
    assert (change.action.end_time, change.behind.rank_by_heads) == (day(10), 1)
    owned = api.ListProcessChangesRequest(owner=RESEARCH)
    (change,) = (await story.desk.ask("ListProcessChanges", owned)).process_changes
    assert change.action.name == story.e


@pytest.mark.parametrize(
    ("method", "asked", "wrong"),
    [
        ("ListActions", {"state": 9, "owner": "x", "kind": 99}, "state owner kind"),
        ("ListActions", {"due_before": Date(year=2024, month=13), "page_size": -1}, "page_size"),
        ("ListObstacles", {"owner": "x", "as_of": Timestamp(seconds=1 << 60)}, "owner as_of"),
        ("ListProcessChanges", {"state": 9}, "state"),
        ("ListHiddenFires", {"start_time": day(2), "end_time": day(1)}, "end_time"),
        ("ListHiddenFires", {"page_token": "x"}, "page_token"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(
    desk: Desk, method: str, asked: dict[str, Any], wrong: str
) -> None:
    """Every field that is wrong is named."""
    request = getattr(api, f"{method}Request")(**asked)
    answer = await refused(getattr(desk.stub, method)(request))
    assert answer.code is StatusCode.INVALID_ARGUMENT
    assert set(wrong.split()) <= answer.fields.keys() <= {*wrong.split(), "due_before"}
