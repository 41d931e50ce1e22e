"""Themes, causes and scores of feedback in a window, as the edge answers them."""

from typing import Any
from uuid import uuid4

import pytest
from equiloop.customers.v1 import events_pb2 as customer_events
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api
from grpc import StatusCode

from libs.eventstore.port import Expected, NewEvent
from tests.contract.chassis.serving import refused
from tests.contract.feedback.desk import Desk, day

SYSTEM, PERSON, EXTERNAL = events.CAUSE_SYSTEM, events.CAUSE_PERSON, events.CAUSE_EXTERNAL


async def index(desk: Desk, **asked: Any) -> api.ThemeIndex:
    answer: api.ThemeIndex = await desk.ask("GetThemeIndex", api.GetThemeIndexRequest(**asked))
    return answer


async def test_themes_are_counted_by_the_latest_codings(desk: Desk) -> None:
    """Themes stand by number, each with the mean sentiment of those that have one, and its n."""
    first, second, third = [await desk.record(receive_time=day(n)) for n in (1, 2, 3)]
    await desk.record(receive_time=day(4))
    await desk.code(first.name, "price", sentiment=1)
    await desk.code(first.name, "battery", sentiment=-1)
    await desk.code(second.name, "battery", "price", sentiment=0.5)
    await desk.code(third.name, "battery", without_sentiment=True)
    people = events.Coder(name="people/7")
    whole = await index(desk)
    assert list(whole.themes) == [
        api.IndexedTheme(
            theme="battery",
            feedback_count=3,
            sentiment_mean=-0.25,
            sentiment_count=2,
            coders=[
                api.ThemeByCoder(
                    coder=people, feedback_count=3, sentiment_mean=-0.25, sentiment_count=2
                )
            ],
        ),
        api.IndexedTheme(
            theme="price",
            feedback_count=1,
            sentiment_mean=0.5,
            sentiment_count=1,
            coders=[
                api.ThemeByCoder(
                    coder=people, feedback_count=1, sentiment_mean=0.5, sentiment_count=1
                )
            ],
        ),
    ]
    assert (whole.received_count, whole.coded_count, whole.total_size) == (4, 3, 2)
    late = await index(desk, start_time=day(3), end_time=day(4))
    assert [(each.theme, each.feedback_count) for each in late.themes] == [("battery", 1)]
    assert not late.themes[0].HasField("sentiment_mean")
    assert (late.received_count, late.coded_count) == (1, 1)
    assert [each.theme for each in (await index(desk, page_size=1)).themes] == ["battery"]


async def test_themes_can_be_seen_as_one_coder_sees_them(desk: Desk) -> None:
    """Of a coder who is named only what he coded last counts; his versions stand apart."""
    for version in ("1", "2", ""):
        item = await desk.record()
        coder = events.Coder(name="vader" if version else "people/7", version=version)
        request = api.CodeFeedbackRequest(name=item.name, themes=["battery"], coder=coder)
        await desk.stub.CodeFeedback(request)
    (battery,) = (await index(desk, coder="vader")).themes
    assert battery.feedback_count == 2
    assert [each.coder.version for each in battery.coders] == ["1", "2"]
    assert (await index(desk, coder="vader")).coded_count == 2
    nobody = await index(desk, coder="nobody")
    assert (nobody.received_count, nobody.coded_count, len(nobody.themes)) == (3, 0, 0)


async def test_of_nothing_there_is_an_empty_index(desk: Desk) -> None:
    """Without feedback all counts are zero."""
    assert await index(desk) == api.ThemeIndex()


async def classify(desk: Desk, name: str, cause: events.Cause.ValueType) -> api.Feedback:
    request = api.ClassifyCauseRequest(name=name, cause=cause, by="people/7", evidence="the log")
    answer: api.Feedback = await desk.stub.ClassifyCause(request)
    return answer


async def pareto(desk: Desk, **asked: Any) -> api.CausePareto:
    answer: api.CausePareto = await desk.ask("GetCausePareto", api.GetCauseParetoRequest(**asked))
    return answer


async def test_causes_are_counted_never_assumed(desk: Desk) -> None:
    """Latest findings by number, shares of what was classified, and beside it what was not."""
    items = [await desk.record(receive_time=day(n)) for n in range(6)]
    for item, cause in zip(items, (PERSON, SYSTEM, SYSTEM, EXTERNAL), strict=False):
        await classify(desk, item.name, cause)
    assert (await classify(desk, items[0].name, SYSTEM)).cause == SYSTEM
    counted = await pareto(desk)
    assert list(counted.causes) == [
        api.CauseCount(cause=SYSTEM, feedback_count=3, share=0.75, cumulative_share=0.75),
        api.CauseCount(cause=EXTERNAL, feedback_count=1, share=0.25, cumulative_share=1),
    ]
    n = (counted.received_count, counted.classified_count, counted.unclassified_count)
    assert n == (6, 4, 2)
    late = await pareto(desk, start_time=day(3))
    assert (late.received_count, late.classified_count) == (3, 1)
    assert await pareto(desk, start_time=day(9)) == api.CausePareto()


async def test_causes_can_be_seen_by_theme_and_by_function(desk: Desk) -> None:
    """Only what is about a theme, or what a function's actions answer; never by person."""
    items = [await desk.record() for _ in range(3)]
    for item in items:
        await classify(desk, item.name, SYSTEM)
    await desk.code(items[0].name, "battery")
    await desk.commit(items[0].name, items[1].name, owner="functions/research")
    assert (await pareto(desk, theme="battery")).classified_count == 1
    assert (await pareto(desk, function="functions/research")).classified_count == 2
    assert (await pareto(desk, function="functions/service")).classified_count == 0
    names = {field.name for field in api.CausePareto.DESCRIPTOR.fields}
    names |= {field.name for field in api.CauseCount.DESCRIPTOR.fields}
    assert names.isdisjoint({"by", "person", "people", "manager"})


async def test_a_cause_needs_evidence_and_somebody(desk: Desk) -> None:
    """What is wrong with a finding is named, and nothing is kept of it."""
    item = await desk.record()
    request = api.ClassifyCauseRequest(name=item.name, evidence=" ")
    answer = await refused(desk.stub.ClassifyCause(request))
    assert answer.code is StatusCode.INVALID_ARGUMENT
    assert answer.fields.keys() == {"cause", "by", "evidence"}
    assert (await pareto(desk)).unclassified_count == 1


def score(scale: events.ScoreScale.ValueType, value: int) -> dict[str, Any]:
    return {"text": "", "score": events.Score(scale=scale, value=value)}


NPS, CSAT, CES = events.SCORE_SCALE_NPS, events.SCORE_SCALE_CSAT, events.SCORE_SCALE_CES


async def scores(desk: Desk, **asked: Any) -> api.ScoreSummary:
    answer: api.ScoreSummary = await desk.ask("GetScores", api.GetScoresRequest(**asked))
    return answer


async def test_scores_are_summed_up_by_scale(desk: Desk) -> None:
    """Each scale has its figure, its standard error, its n, and the answers by value."""
    for value in (10, 9, 7, 0):
        await desk.record(**score(NPS, value))
    for value in (5, 4, 4, 1):
        await desk.record(**score(CSAT, value))
    for value in (7, 7, 4):
        await desk.record(**score(CES, value))
    await desk.record()
    found = await scores(desk)
    assert found.nps.value == 25
    assert found.nps.standard_error == pytest.approx(100 * ((0.75 - 0.25**2) / 4) ** 0.5)
    assert [(each.value, each.count) for each in found.nps.counts] == [
        (0, 1), (7, 1), (9, 1), (10, 1),
    ]  # fmt: skip
    assert (found.csat.value, found.csat.count) == (75, 4)
    assert (found.ces.value, found.ces.standard_error, found.ces.count) == (6, 1, 3)


async def test_scores_can_be_narrowed(desk: Desk) -> None:
    """By when it was received, from which channel, and of whom, by his segments now."""
    kind = customer_events.CustomerLabelled.DESCRIPTOR.full_name
    label = customer_events.CustomerLabelled(customer="customers/7", segments=["gold"])
    new = NewEvent(uuid4(), kind, label.SerializeToString())
    await desk.store.append("customer-7", [new], Expected.ANY)
    await desk.record("7", **score(NPS, 10), receive_time=day(1))
    await desk.record("8", **score(NPS, 0), receive_time=day(2), channel=events.CHANNEL_PHONE)
    nobody = await desk.record(**score(NPS, 8), receive_time=day(3))
    assert (await scores(desk, segment="gold")).nps.value == 100
    assert (await scores(desk, channel=events.CHANNEL_PHONE)).nps.value == -100
    assert (await scores(desk, start_time=day(2), end_time=day(3))).nps.count == 1
    assert await scores(desk, segment="silver") == api.ScoreSummary(
        nps=api.ScoreFigures(), csat=api.ScoreFigures(), ces=api.ScoreFigures()
    )
    attribute = api.AttributeFeedbackRequest(
        name=nobody.name, customer="customers/7", by="people/1"
    )
    await desk.stub.AttributeFeedback(attribute)
    assert (await scores(desk, segment="gold")).nps.count == 2
