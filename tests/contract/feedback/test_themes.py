"""Themes by equity at stake and by heads: two orders, and a customer counts once in each."""

from typing import Any

import grpc
import pytest
from equiloop.feedback.v1 import service_pb2 as api
from equiloop.metrics.v1 import service_pb2 as metrics_api
from equiloop.metrics.v1 import service_pb2_grpc as metrics_grpc
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money
from grpc import StatusCode

from libs.chassis.call import CURRENT, MIN_POSITION, TRACEPARENT, Call
from libs.kernel.refusals import Invalid, Refusal
from services.feedback.stakes import MetricsValuer
from tests.contract.chassis.serving import refused
from tests.contract.feedback.desk import Desk, day


async def ranked(desk: Desk, **asked: Any) -> list[api.ThemeAtStake]:
    answer = await desk.ask("RankThemes", api.RankThemesRequest(**asked))
    return list(answer.themes)


async def say(desk: Desk, customer: str, *themes: str) -> str:
    name = (await desk.record(customer)).name
    await desk.code(name, *themes)
    return name


async def test_a_theme_is_worth_its_distinct_customers(desk: Desk) -> None:
    """Customer 7 says the same thing three times and counts once; an unknown author is no head."""
    desk.worth.cents = {"customers/7": 150_000, "customers/8": 2_500}
    for customer, themes in (
        ("7", ["battery"]),
        ("7", ["battery"]),
        ("7", ["battery"]),
        ("8", ["price"]),
        ("", ["price"]),
    ):
        await say(desk, customer, *themes)
    assert await ranked(desk) == [
        api.ThemeAtStake(
            theme="battery",
            equity_at_stake=Money(currency_code="EUR", units=1500),
            customer_count=1,
            open_feedback_count=3,
            rank_by_heads=1,
            rank_by_equity=1,
        ),
        api.ThemeAtStake(
            theme="price",
            equity_at_stake=Money(currency_code="EUR", units=25),
            customer_count=1,
            open_feedback_count=2,
            rank_by_heads=2,
            rank_by_equity=2,
        ),
    ]


async def test_the_two_orders_differ(desk: Desk) -> None:
    """Many who are worth little lead by heads, one who is worth much by equity; both are shown."""
    await desk.customers("1", "2", "3")
    desk.worth.cents = {"customers/7": 90_000} | {f"customers/{n}": 100 for n in (1, 2, 3)}
    for customer in ("1", "2", "3"):
        await say(desk, customer, "price")
    for _ in range(5):
        await say(desk, "7", "battery")
    themes = await ranked(desk)
    assert [(each.theme, each.rank_by_equity, each.rank_by_heads) for each in themes] == [
        ("battery", 1, 2),
        ("price", 2, 1),
    ]


async def test_only_open_feedback_is_at_stake(desk: Desk) -> None:
    """A theme whose customers were told is not listed; one of whom some wait counts only those."""
    desk.worth.cents = {"customers/7": 100, "customers/8": 200}
    told = await say(desk, "7", "battery", "price")
    await say(desk, "8", "price")
    action = await desk.commit(told)
    await desk.complete(action.name)
    await desk.tell(action.name)
    (price,) = await ranked(desk)
    assert (price.theme, price.equity_at_stake.units, price.customer_count) == ("price", 2, 1)


async def test_a_customer_without_value_is_a_head(desk: Desk) -> None:
    """Who has never bought counts by heads, at no equity; equal themes stand by name."""
    desk.worth.cents = {}
    for theme in ("screen", "battery"):
        await say(desk, "7", theme)
    themes = await ranked(desk)
    assert [(each.theme, each.customer_count) for each in themes] == [("battery", 1), ("screen", 1)]
    assert all(each.equity_at_stake == Money(currency_code="EUR") for each in themes)


async def test_the_page_cuts_and_the_places_stay(desk: Desk) -> None:
    """The first few themes keep their places among all; the default is twenty."""
    desk.worth.cents = {"customers/7": 100}
    for number in range(25):
        await say(desk, "7", f"theme-{number:02}")
    assert [each.rank_by_equity for each in await ranked(desk, page_size=3)] == [1, 2, 3]
    assert len(await ranked(desk)) == 20


async def test_values_are_asked_as_of_the_instant(desk: Desk) -> None:
    """The instant asked for, or the present one, goes to whoever values; each customer once."""
    for customer in ("7", "7", "8", ""):
        await say(desk, customer, "battery")
    await ranked(desk.at(3))
    await ranked(desk, as_of=day(1))
    both = {"customers/7", "customers/8"}
    assert desk.worth.asked == [(both, day(3)), (both, day(1))]


async def test_without_open_themes_nobody_is_asked(desk: Desk) -> None:
    """Where nothing is at stake the answer is empty, whether or not there is equity yet."""
    desk.worth.cents = None
    await desk.record("7")
    assert await ranked(desk) == []
    assert desk.worth.asked == []


async def test_before_there_is_equity_the_reason_is_told(desk: Desk) -> None:
    """While customers cannot be valued the question is FAILED_PRECONDITION, with its reason."""
    desk.worth.cents = None
    await say(desk, "7", "battery")
    answer = await refused(ranked(desk))
    assert (answer.code, answer.info.reason) == (
        StatusCode.FAILED_PRECONDITION,
        "EQUITY_NOT_AVAILABLE",
    )


async def test_a_question_that_makes_no_sense_is_refused(desk: Desk) -> None:
    """A negative size and an instant that there is not are both named."""
    asked = api.RankThemesRequest(page_size=-1, as_of=Timestamp(seconds=1 << 60))
    answer = await refused(desk.stub.RankThemes(asked))
    assert answer.fields.keys() == {"page_size", "as_of"}


class Metrics(metrics_grpc.MetricsServiceServicer):
    """A metrics service that values everybody at 12.34 EUR, or refuses."""

    def __init__(self) -> None:
        self.refusal: StatusCode | None = None
        self.sizes: list[int] = []
        self.metadata: list[dict[str, Any]] = []

    async def GetEquityPolicy(self, _: Any, __: Any) -> Any:  # noqa: N802
        return metrics_api.EquityPolicy(currency_code="EUR")

    async def GetCustomerValues(self, request: Any, context: Any) -> Any:  # noqa: N802
        if self.refusal:
            await context.abort(self.refusal, "because")
        self.sizes.append(len(request.customers))
        self.metadata.append(dict(context.invocation_metadata()))
        clv = Money(currency_code="EUR", units=12, nanos=340_000_000)
        values = (metrics_api.CustomerValue(customer=name, clv=clv) for name in request.customers)
        return metrics_api.GetCustomerValuesResponse(values=values)


@pytest.fixture
async def peer() -> Any:
    """A metrics service and a valuer that asks it, in a call that asks for a position."""
    metrics, server = Metrics(), grpc.aio.server()  # type: ignore[abstract]
    metrics_grpc.add_MetricsServiceServicer_to_server(metrics, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield metrics, MetricsValuer(channel)
    await server.stop(0)


async def test_metrics_is_asked_in_bounded_parts(peer: tuple[Metrics, MetricsValuer]) -> None:
    """Of 10,001 customers all are valued, in two questions that carry trace and position on."""
    metrics, valuer = peer
    CURRENT.set(Call("r-1", traceparent="00-a-b-01", min_position="41"))
    everybody = {f"customers/{n}" for n in range(10_001)}
    found = await valuer.valuation(everybody, day(1))
    assert (found.currency, found.worth) == ("EUR", dict.fromkeys(everybody, 1234))
    assert metrics.sizes == [10_000, 1]
    assert all(
        (sent[TRACEPARENT], sent[MIN_POSITION]) == ("00-a-b-01", "41") for sent in metrics.metadata
    )


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (StatusCode.FAILED_PRECONDITION, Refusal),
        (StatusCode.NOT_FOUND, Refusal),
        (StatusCode.INVALID_ARGUMENT, Invalid),
        (StatusCode.INTERNAL, grpc.aio.AioRpcError),
    ],
)
async def test_what_metrics_refuses_is_told_for_what_it_is(
    peer: tuple[Metrics, MetricsValuer], code: StatusCode, kind: type[Exception]
) -> None:
    """No equity yet is a refusal, an instant not accepted is named, a failure is a failure."""
    metrics, valuer = peer
    metrics.refusal = code
    CURRENT.set(Call("r-1"))
    with pytest.raises(kind, match="because") as caught:
        await valuer.valuation({"customers/7"}, day(1))
    assert type(caught.value) is kind
