"""Needs and themes with what is at stake in them: two orders, pages, and what people decided."""

import doctest
from typing import Any

import pytest
from equiloop.feedback.v1 import market_service_pb2 as api
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money
from grpc import StatusCode

from services.feedback import ranking
from tests.contract.chassis.serving import refused
from tests.contract.feedback.desk import Desk, day, paged
from tests.contract.feedback.market import identify, prioritise, reject, say, validate


def test_the_worked_example_is_right() -> None:
    """The example in the docstring, worked by hand, is what the code computes."""
    assert doctest.testmod(ranking) == doctest.TestResults(failed=0, attempted=1)


async def board(desk: Desk, **asked: Any) -> list[api.NeedAtStake]:
    answer = await desk.ask("ListNeeds", api.ListNeedsRequest(**asked), desk.market)
    return list(answer.needs)


async def themes(desk: Desk, **asked: Any) -> list[api.ThemePriority]:
    request = api.ListThemePrioritiesRequest(**asked)
    answer = await desk.ask("ListThemePriorities", request, desk.market)
    return list(answer.themes)


def places(found: list[api.NeedAtStake]) -> list[tuple[str, int, int, int, int]]:
    return [
        (
            each.need.title,
            each.rank_by_equity,
            each.rank_by_heads,
            each.customer_count,
            each.open_feedback_count,
        )
        for each in found
    ]


async def test_a_need_is_worth_the_distinct_customers_who_wait(desk: Desk) -> None:
    """Three say "light" and are worth 3 EUR; one says "lasting" twice and is worth 900.

    Told customers and unknown authors are no heads; unknown authors are open items.
    """
    await desk.customers("1", "2", "3")
    desk.worth.cents = {"customers/7": 90_000} | {f"customers/{n}": 100 for n in (1, 2, 3)}
    light = [await say(desk, customer) for customer in ("1", "2", "3", "", "8")]
    lasting = [await say(desk, "7") for _ in range(2)]
    action = await desk.commit(light[4])
    await desk.complete(action.name)
    await desk.tell(action.name)
    await identify(desk, *light, title="light")
    await identify(desk, *lasting, title="lasting")
    await identify(desk, light[4], title="answered")
    found = await board(desk)
    assert places(found) == [
        ("light", 2, 1, 3, 4),
        ("lasting", 1, 2, 1, 2),
        ("answered", 3, 3, 0, 0),
    ]
    assert found[0].equity_at_stake == Money(currency_code="EUR", units=3)
    by_equity = await board(desk, order=api.RANK_ORDER_EQUITY)
    assert [each.need.title for each in by_equity] == ["lasting", "light", "answered"]
    by_heads = await board(desk, order=api.RANK_ORDER_HEADS)
    assert [each.need.title for each in by_heads] == ["light", "lasting", "answered"]


async def test_places_are_among_needs_that_stand_alike(desk: Desk) -> None:
    """Of needs of one state, places and total count these alone; judged again they move."""
    desk.worth.cents = {"customers/7": 100, "customers/8": 200}
    first = await identify(desk, await say(desk, "7"), title="first")
    second = await identify(desk, await say(desk, "8"), title="second")
    await validate(desk, first.name)
    (only,) = await board(desk, state=api.NEED_STATE_VALIDATED)
    assert (only.need.title, only.rank_by_equity) == ("first", 1)
    await reject(desk, first.name)
    assert await board(desk, state=api.NEED_STATE_VALIDATED) == []
    (only,) = await board(desk, state=api.NEED_STATE_IDENTIFIED)
    assert only.need.name == second.name


async def test_needs_page_to_their_end_while_others_come(desk: Desk) -> None:
    """Needs that are there throughout are seen once, whatever is identified and said meanwhile."""
    desk.worth.cents = {"customers/7": 100}
    said = await say(desk, "7")
    there = [(await identify(desk, said, title=f"need {n}")).name for n in range(7)]
    seen, request = list[str](), api.ListNeedsRequest(page_size=2)
    while True:
        answer = await desk.at(5 + len(seen)).ask("ListNeeds", request, desk.market)
        assert answer.as_of == day(5)
        seen += [each.need.name for each in answer.needs]
        if not answer.next_page_token:
            break
        if len(seen) < 9:
            await identify(desk, await say(desk, "8"))
        request.page_token = answer.next_page_token
    assert seen[:7] == there
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("order", api.RankOrder.values())
async def test_every_order_pages_to_its_end(desk: Desk, order: api.RankOrder.ValueType) -> None:
    """In each order, equal needs included, pages show every need once, in the order of one page."""
    desk.worth.cents = {"customers/7": 100, "customers/8": 300}
    for customer in ("7", "8", "7", "", "8"):
        await identify(desk, await say(desk, customer))
    whole = [each.need.name for each in await board(desk, order=order)]
    request = api.ListNeedsRequest(page_size=2, order=order)
    pages = await paged(desk, "ListNeeds", request, "needs", desk.market)
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [each.need.name for page in pages for each in page] == whole


async def test_needs_are_listed_before_there_is_equity(desk: Desk) -> None:
    """Without values needs have heads and no equity; only their order by equity is refused."""
    desk.worth.cents = None
    await identify(desk, await say(desk, "7"))
    for order in (api.RANK_ORDER_UNSPECIFIED, api.RANK_ORDER_HEADS):
        (need,) = await board(desk, order=order)
        assert (need.rank_by_equity, need.rank_by_heads) == (0, 1)
        assert not need.HasField("equity_at_stake")
    answer = await refused(board(desk, order=api.RANK_ORDER_EQUITY))
    assert (answer.code, answer.info.reason) == (
        StatusCode.FAILED_PRECONDITION,
        "EQUITY_NOT_AVAILABLE",
    )


async def test_what_people_decided_stands_beside_the_figures(desk: Desk) -> None:
    """Four themes, three decided about: each place, and how far people are from the figures.

    By equity: screen 500, battery 300, price 100, sound 50. People: battery and price first
    (priority 1, places 1 and 2), screen last (place 3). Among these three equity says screen 1,
    battery 2, price 3: people put the screen two places behind; the battery's span, 1 to 2, meets
    2, and the price's, 1 to 2, ends a place before 3. By heads all three are equal: no distance.
    """
    desk.worth.cents = {"customers/7": 30_000, "customers/8": 50_000}
    await desk.customers("1", "2")
    desk.worth.cents |= {"customers/1": 10_000, "customers/2": 5_000}
    for customer, theme in (("7", "battery"), ("8", "screen"), ("1", "price"), ("2", "sound")):
        await say(desk, customer, theme)
    for theme, priority in (("battery", 1), ("price", 1), ("screen", 50)):
        await prioritise(desk.at(1), theme, priority)
    found = await themes(desk)
    assert [
        (
            each.theme,
            each.rank_by_equity,
            each.rank_by_decision,
            each.places_from_equity,
            each.places_from_heads,
        )
        for each in found
    ] == [
        ("battery", 2, 1, 0, 0),
        ("price", 3, 1, -1, 0),
        ("screen", 1, 3, 2, 0),
        ("sound", 4, 0, 0, 0),
    ]
    assert found[0].decision == api.ThemeDecision(
        theme="battery",
        priority=1,
        reason="it costs us",
        by="managers/maria",
        create_time=day(1),
        update_time=day(1),
        etag="0",
    )
    assert not found[3].HasField("decision")


async def test_a_theme_that_nobody_speaks_of_keeps_its_priority(desk: Desk) -> None:
    """People may decide ahead, and a theme that was answered stays where they put it."""
    desk.worth.cents = {"customers/7": 100}
    told = await say(desk, "7", "battery")
    action = await desk.commit(told)
    await desk.complete(action.name)
    await desk.tell(action.name)
    await prioritise(desk, "battery", 2)
    await prioritise(desk, "screen", 1)
    await prioritise(desk, "screen", 3, etag="0")
    answer = await desk.ask("ListThemePriorities", api.ListThemePrioritiesRequest(), desk.market)
    assert [(each.theme, each.customer_count, each.rank_by_decision) for each in answer.themes] == [
        ("battery", 0, 1),
        ("screen", 0, 2),
    ]
    assert (answer.total_size, answer.decided_count) == (2, 2)
    assert (await refused(prioritise(desk, "screen", 4, etag="0"))).code is StatusCode.ABORTED


async def test_questions_that_make_no_sense(desk: Desk) -> None:
    """Order and state that there are not, a negative size, an impossible instant: all named."""
    never: Any = 9
    then = Timestamp(seconds=1 << 60)
    asked = api.ListNeedsRequest(page_size=-1, order=never, state=never, as_of=then)
    answer = await refused(desk.market.ListNeeds(asked))
    assert answer.fields.keys() == {"page_size", "order", "state", "as_of"}
