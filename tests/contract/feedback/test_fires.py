"""Hidden fires: what was put out by words, worked out by hand.

day   what happens (7 is worth 1,500 €, 8 is worth 25 €)
0     f1, f2: customer 7 about price; f3: customer 8 about price and battery; f4: customer 8
about battery; f5: nobody knows who, about price
1     W: words only, for all five; done on day 2
3     f1, f2, f3 and f5 are told of W, in public
4     P: a product change, for f3 and f4; done on day 5
6     f3 and f4 are told of P
8     f1 protests
9     P is reopened: f3 is closed by words alone again, f4 is open
"""

from typing import Any

import pytest
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api
from google.type.money_pb2 import Money

from tests.contract.feedback.desk import Desk, day, paged


@pytest.fixture
async def desk_on_day_7(desk: Desk) -> tuple[Desk, dict[int, str], str]:
    """The history above until day 7, the names of its feedback, and P."""
    desk.worth.cents = {"customers/7": 150_000, "customers/8": 2_500}
    f: dict[int, str] = {}
    for number, customer, *themes in (
        (1, "7", "price"),
        (2, "7", "price"),
        (3, "8", "price", "battery"),
        (4, "8", "battery"),
        (5, "", "price"),
    ):
        f[number] = (await desk.record(customer)).name
        await desk.code(f[number], *themes)
    words = events.ACTION_KIND_COMMUNICATION_ONLY
    w = (await desk.at(1).commit(*f.values(), kind=words)).name
    await desk.at(2).complete(w)
    told = [f[number] for number in (1, 2, 3, 5)]
    await desk.at(3).tell(w, *told, channel=events.CHANNEL_WEB)
    p = (await desk.at(4).commit(f[3], f[4])).name
    await desk.at(5).complete(p)
    await desk.at(6).tell(p)
    desk.at(7)
    return desk, f | {0: w}, p


def fire(
    theme: str, counts: tuple[int, int], worth: tuple[int, int], places: tuple[int, int]
) -> api.HiddenFires:
    """Loops closed, and by words alone; customers, and what they are worth; heads, equity."""
    (closed, words), (heads, units) = counts, worth
    return api.HiddenFires(
        theme=theme,
        closed_count=closed,
        words_only_count=words,
        share=words / closed,
        unheard=api.Stake(
            customer_count=heads,
            equity=Money(currency_code="EUR", units=units),
            rank_by_heads=places[0],
            rank_by_equity=places[1],
        ),
    )


Scene = tuple[Desk, dict[int, str], str]


async def test_what_was_put_out_by_words_is_shown(desk_on_day_7: Scene) -> None:
    """Price: four closed, three by words, of 7 and of nobody known; battery: f3, f4 by a deed."""
    desk, _, _ = desk_on_day_7
    answer = await desk.ask("ListHiddenFires", api.ListHiddenFiresRequest())
    assert list(answer.themes) == [fire("price", (4, 3), (1, 1500), (1, 1))]
    assert (answer.closed_count, answer.words_only_count, answer.as_of) == (5, 3, day(7))


async def test_a_deed_that_is_taken_back_leaves_words(desk_on_day_7: Scene) -> None:
    """After protest and reopening: price has f2, f3 and f5 closed, all by words; battery has f3."""
    desk, f, p = desk_on_day_7
    await desk.at(8).protest(f[0], f[1])
    await desk.at(9).reopen(p)
    answer = await desk.ask("ListHiddenFires", api.ListHiddenFiresRequest())
    assert list(answer.themes) == [
        fire("battery", (1, 1), (1, 25), (2, 2)),
        fire("price", (3, 3), (2, 1525), (1, 1)),
    ]
    assert (answer.closed_count, answer.words_only_count) == (3, 3)
    then = await desk.ask("ListHiddenFires", api.ListHiddenFiresRequest(as_of=day(7)))
    assert list(then.themes) == [fire("price", (4, 3), (1, 1500), (1, 1))]
    before = await desk.ask("ListHiddenFires", api.ListHiddenFiresRequest(as_of=day(4)))
    assert list(before.themes) == [
        fire("battery", (1, 1), (1, 25), (2, 2)),
        fire("price", (4, 4), (2, 1525), (1, 1)),
    ]


async def test_the_window_is_of_what_was_received(desk_on_day_7: Scene) -> None:
    """Feedback received outside of it does not count, whenever it was closed."""
    desk, _, _ = desk_on_day_7
    windows: list[dict[str, Any]] = [{"start_time": day(1)}, {"end_time": day(0)}]
    for window in windows:
        answer = await desk.ask("ListHiddenFires", api.ListHiddenFiresRequest(**window))
        assert (list(answer.themes), answer.closed_count, answer.words_only_count) == ([], 0, 0)


async def test_fires_are_read_to_the_end(desk_on_day_7: Scene) -> None:
    """One theme a page, in the order of names, as of the first page's instant."""
    desk, _, p = desk_on_day_7
    await desk.at(9).reopen(p)
    request = api.ListHiddenFiresRequest(page_size=1)
    pages = await paged(desk, "ListHiddenFires", request, "themes")
    assert [[fires.theme for fires in page] for page in pages] == [["battery"], ["price"]]
