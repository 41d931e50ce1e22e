"""What the clock does for digests: delivered when due, once; taken up the line while unread."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import grpc
import pytest
from equiloop.customers.v1 import organisation_events_pb2 as organisation
from equiloop.feedback.v1 import market_service_pb2 as api
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from libs.contract.events import CODEC
from libs.projection import rebuild
from libs.projection.aside import Aside
from libs.projection.reactor import TryAgain
from libs.projection.sqlite import SqliteDatabase
from services.feedback.digests import Digests
from services.feedback.policy.market_digests import MarketDigests
from services.feedback.stakes import Valuation
from services.feedback.views import VIEWS
from tests.contract.feedback.desk import Desk, Worth, day, names
from tests.contract.feedback.market import deliver, happen, led, say

RESEARCH = "functions/research"


class Clock:
    """A policy that looks when it is told, at views that have seen everything."""

    def __init__(self, desk: Desk, valuer: Any = None) -> None:
        self.desk = desk
        database: Any = desk.projection.database
        moved = desk.projection.moved
        views = Aside(database.another_reader())
        digests = Digests(desk.store, desk.decider, views, moved, valuer or desk.worth)
        self.policy = MarketDigests(digests)

    async def strikes(self, number: float, times: int = 1) -> None:
        """It is this day now; ``times`` says how often the policy looks before views follow."""
        desk = self.desk.at(number)
        await desk.projection.wait(await desk.store.head())
        for _ in range(times):
            await self.policy.tick(desk.now)

    async def digests(self) -> list[api.Digest]:
        """All digests, as they stand."""
        answer = await self.desk.ask("ListDigests", api.ListDigestsRequest(), self.desk.market)
        return list(answer.digests)


@pytest.fixture
async def clock(desk: Desk) -> Clock:
    """Research is led by ada, who reports to bo; service by nobody. Nobody is worth anything."""
    await led(desk, RESEARCH, "managers/ada")
    line = organisation.ReportingLineSet(manager="managers/ada", reports_to="managers/bo")
    await happen(desk, "manager", line)
    desk.worth.cents = {}
    return Clock(desk)


async def plan(desk: Desk, days: int = 1, **fields: Any) -> None:
    usual: dict[str, Any] = {
        "function": RESEARCH,
        "every": Duration(seconds=days * 86_400),
        "acknowledge_within": Duration(seconds=86_400),
    }
    await desk.market.SetDigestSchedule(api.SetDigestScheduleRequest(**(usual | fields)))


def window(digest: api.Digest) -> tuple[Timestamp, Timestamp]:
    return digest.delivered.start_time, digest.delivered.end_time


async def test_what_is_due_is_delivered_once(desk: Desk, clock: Clock) -> None:
    """A day after the start and not before; looked at again, also by another, nothing comes."""
    await plan(desk.at(0), only_themes=["battery"])
    await say(desk.at(0.5), "7", "battery")
    await clock.strikes(0.999)
    assert await clock.digests() == []
    await clock.strikes(1.1, times=3)
    await Clock(desk).strikes(1.2)
    (digest,) = await clock.digests()
    assert window(digest) == (day(0), day(1))
    assert (digest.create_time, digest.delivered.acknowledge_by) == (day(1.1), day(2.1))
    assert (digest.delivered.scheduled, list(digest.delivered.only_themes)) == (True, ["battery"])
    assert digest.delivered.received_count == 1


async def test_windows_follow_each_other_and_missed_ones_become_one(
    desk: Desk, clock: Clock
) -> None:
    """While nobody looked on days 2 to 4 nothing is lost: one digest spans what was missed."""
    await plan(desk.at(0))
    for number in (1, 4.7, 5.2):
        await clock.strikes(number)
    assert list(map(window, await clock.digests())) == [
        (day(0), day(1)),
        (day(1), day(4)),
        (day(4), day(5)),
    ]


async def test_a_digest_that_somebody_asks_for_moves_no_window(desk: Desk, clock: Clock) -> None:
    """What is delivered by hand stands beside the schedule: its windows stay whole."""
    await plan(desk.at(0))
    await deliver(desk.at(0.5), start_time=day(0))
    await clock.strikes(1)
    assert [window(each) for each in await clock.digests()] == [
        (day(0), day(0.5)),
        (day(0), day(1)),
    ]


async def test_a_schedule_ends_and_begins_anew(desk: Desk, clock: Clock) -> None:
    """Withdrawn, nothing comes; set anew, windows begin at its own start."""
    await plan(desk.at(0))
    await clock.strikes(1)
    withdraw = api.WithdrawDigestScheduleRequest(name="digestSchedules/research", reason="moved")
    await desk.market.WithdrawDigestSchedule(withdraw)
    await clock.strikes(3)
    assert len(await clock.digests()) == 1
    await plan(desk.at(3), days=2)
    await clock.strikes(5)
    assert window((await clock.digests())[1]) == (day(3), day(5))


async def test_an_unread_digest_goes_up_the_line(desk: Desk, clock: Clock) -> None:
    """Two days to read it: then ada is told, bo two days later, and that is all."""
    await deliver(desk.at(0), start_time=day(-1))
    for number, steps in ((1.9, 0), (2, 1), (3.9, 1), (4, 2), (30, 2)):
        await clock.strikes(number, times=2)
        (digest,) = await clock.digests()
        assert len(digest.escalations) == steps
    assert digest.state == api.DIGEST_STATE_ESCALATED
    assert [(step.level, step.to, step.escalate_time) for step in digest.escalations] == [
        (1, "managers/ada", day(2)),
        (2, "managers/bo", day(4)),
    ]
    for as_of, expected in ((1.9, 0), (2, 1), (3, 1)):
        request = api.GetMarketVoiceRequest(as_of=day(as_of))
        voice = await desk.ask("GetMarketVoice", request, desk.market)
        assert voice.escalated_count == expected


async def test_what_is_read_goes_no_further(desk: Desk, clock: Clock) -> None:
    """Read between two steps, the second is not taken; the voice counts it escalated and late."""
    name = (await deliver(desk.at(0), start_time=day(-1))).name
    await clock.strikes(2)
    await desk.market.AcknowledgeDigest(api.AcknowledgeDigestRequest(name=name, by="people/7"))
    await clock.strikes(30)
    (digest,) = await clock.digests()
    assert (digest.state, len(digest.escalations)) == (api.DIGEST_STATE_ACKNOWLEDGED, 1)
    voice = await desk.ask("GetMarketVoice", api.GetMarketVoiceRequest(), desk.market)
    assert (voice.acknowledged_count, voice.in_time_count, voice.escalated_count) == (1, 1, 1)


async def test_nobody_to_tell_is_put_on_record(desk: Desk, clock: Clock) -> None:
    """A function that nobody leads: one step, to nobody, and no further ones."""
    await deliver(desk.at(0), function="functions/service", start_time=day(-1))
    await clock.strikes(2)
    await clock.strikes(30)
    (digest,) = await clock.digests()
    assert [(step.level, step.to) for step in digest.escalations] == [(1, "")]


async def test_a_replay_delivers_and_escalates_nothing(
    desk: Desk, clock: Clock, tmp_path: Path
) -> None:
    """Views that were folded anew find nothing due that was seen to before."""
    await plan(desk.at(0))
    await clock.strikes(1)
    await clock.strikes(2.5)
    before = await names(desk.store)
    assert before.count("DigestEscalated") == 1
    head = await desk.store.head()
    await desk.projection.wait(head)
    again = await rebuild(desk.store, CODEC, SqliteDatabase(tmp_path / "again"), VIEWS, head)
    fresh = Clock(desk)
    database: Any = again.database
    views = Aside(database.another_reader())
    digests = Digests(desk.store, desk.decider, views, again.moved, desk.worth)
    fresh.policy = MarketDigests(digests)
    await fresh.policy.tick(desk.now)
    assert await names(desk.store) == before
    for table in ("digest", "digest_theme", "digest_schedule"):
        assert again.database.rows(table) == desk.projection.database.rows(table)
    await again.close()


class Away(Worth):
    """A valuer who cannot be reached."""

    async def valuation(self, _: Collection[str], __: Timestamp) -> Valuation:
        nothing = grpc.aio.Metadata()
        raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing, details="away")


async def test_a_digest_waits_for_whoever_values(desk: Desk, clock: Clock) -> None:
    """While metrics is away nothing is delivered, what is unread goes up, and later all is well."""
    await say(desk.at(0), "7", "battery")
    await deliver(desk, function="functions/service", start_time=day(-1))
    await plan(desk)
    with pytest.raises(TryAgain, match="away"):
        await Clock(desk, Away()).strikes(2)
    (unread,) = await clock.digests()
    assert unread.state == api.DIGEST_STATE_ESCALATED
    await clock.strikes(2)
    assert window((await clock.digests())[1]) == (day(0), day(2))
