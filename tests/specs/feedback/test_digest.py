"""Digests are frozen, read or taken upwards; schedules stand until withdrawn; decisions changed."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from equiloop.feedback.v1 import market_events_pb2 as events
from hypothesis import given as forall
from hypothesis import strategies as st
from pydantic import ValidationError

from libs.contract.parse import violations
from libs.kernel.refusals import AlreadyExists, Invalid, NotFound, Refusal
from libs.kernel.values import timestamp
from services.feedback.digests import DIGEST
from services.feedback.domain import decision, schedule
from services.feedback.domain.digest import (
    MOST_LEVELS,
    AcknowledgeDigest,
    DeliverDigest,
    EscalateDigest,
    check,
    deadline,
    decide,
    deliver,
)
from services.feedback.service.means import DECISION, SCHEDULE
from tests.specs.given import NOW, Given, given

HOUR = timedelta(hours=1)
FIGURES = events.MarketDigestDelivered(received_count=3, open_count=2, position=70)
READ = AcknowledgeDigest(name="digests/1", by="people/7", note="we knew")


def command(**fields: Any) -> DeliverDigest:
    usual: dict[str, Any] = {
        "digest": "digests/1",
        "function": "functions/research",
        "start_time": NOW - 24 * HOUR,
        "acknowledge_within": 2 * HOUR,
    }
    return DeliverDigest.model_validate(usual | fields)


def delivered() -> events.MarketDigestDelivered:
    return events.MarketDigestDelivered(
        event_time=timestamp(NOW),
        digest="digests/1",
        function="functions/research",
        start_time=timestamp(NOW - 24 * HOUR),
        end_time=timestamp(NOW),
        acknowledge_by=timestamp(NOW + 2 * HOUR),
        received_count=3,
        open_count=2,
        position=70,
    )


def acknowledged(at: datetime = NOW) -> events.DigestAcknowledged:
    return events.DigestAcknowledged(
        event_time=timestamp(at),
        digest="digests/1",
        function="functions/research",
        by="people/7",
        note="we knew",
    )


def escalated(level: int, to: str, at: datetime) -> events.DigestEscalated:
    return events.DigestEscalated(
        event_time=timestamp(at),
        digest="digests/1",
        function="functions/research",
        level=level,
        to=to,
        deadline=timestamp(NOW + 2 * level * HOUR),
    )


def upwards(level: int, to: str | None = "managers/maria") -> EscalateDigest:
    return EscalateDigest(name="digests/1", level=level, to=to)


def test_figures_are_frozen_with_their_window() -> None:
    """What was drawn stands in the event with window, deadline and position; delivered once."""
    ended = check(command(), NOW)
    assert deliver(ended, FIGURES, DIGEST.initial, NOW) == [delivered()]
    assert deliver(ended, FIGURES, given(DIGEST, delivered()).state, NOW) == []


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"start_time": NOW + 48 * HOUR}, "start_time"),
        ({"start_time": NOW}, "start_time"),
        ({"end_time": NOW + 48 * HOUR}, "end_time"),
        ({"acknowledge_within": None, "acknowledge_by": NOW}, "acknowledge_by"),
    ],
)
def test_a_digest_tells_of_what_was_said(fields: dict[str, Any], wrong: str) -> None:
    """A window that lies ahead, an empty one, and a deadline that has passed are refused."""
    with pytest.raises(Invalid) as caught:
        check(command(**fields), NOW)
    assert [violation.field for violation in caught.value.violations] == [wrong]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"acknowledge_within": None}, {"acknowledge_by"}),
        ({"acknowledge_by": NOW + HOUR}, {"acknowledge_by"}),
        ({"end_time": NOW - 24 * HOUR}, {"end_time"}),
        ({"acknowledge_within": timedelta(seconds=59)}, {"acknowledge_within"}),
        ({"only_themes": ["The Battery"], "function": "research"}, {"only_themes[0]", "function"}),
    ],
)
def test_what_is_no_digest(fields: dict[str, Any], wrong: set[str]) -> None:
    """A digest has one deadline, a window in order, a function, and themes that are labels."""
    with pytest.raises(ValidationError) as caught:
        command(**fields)
    assert {violation.field for violation in violations(caught.value)} == wrong


def test_a_digest_is_read_once() -> None:
    """The first who reads it acknowledges, in time or late; who reads it again changes nothing."""
    given(DIGEST, delivered()).when(decide, READ).then(acknowledged())
    late = NOW + 3 * HOUR
    stairs = given(DIGEST, delivered(), escalated(1, "managers/maria", late))
    stairs.when(decide, READ, now=late).then(acknowledged(late))
    given(DIGEST, delivered(), acknowledged()).when(decide, READ).then()
    given(DIGEST).when(decide, READ).refused(NotFound, resource="digests/1")


def test_an_unread_digest_goes_up_step_by_step() -> None:
    """Each step is as long as the function had; not before its time, not twice, none left out."""
    unread = given(DIGEST, delivered())
    unread.when(decide, upwards(1), now=NOW + 2 * HOUR - timedelta(microseconds=1)).then()
    due = NOW + 2 * HOUR
    first = escalated(1, "managers/maria", due)
    unread.when(decide, upwards(1), now=due).then(first)
    unread.when(decide, upwards(2), now=NOW + 9 * HOUR).then()
    told = given(DIGEST, delivered(), first)
    told.when(decide, upwards(1), now=NOW + 9 * HOUR).then()
    told.when(decide, upwards(2), now=NOW + 4 * HOUR - timedelta(seconds=1)).then()
    late = NOW + 4 * HOUR
    told.when(decide, upwards(2, None), now=late).then(escalated(2, "", late))


def test_what_was_read_goes_no_further() -> None:
    """Once somebody has read it nobody above is told, however late it is."""
    given(DIGEST, delivered(), acknowledged()).when(decide, upwards(1), now=NOW + 9 * HOUR).then()


@forall(st.lists(st.one_of(st.just(READ), st.integers(1, 12)), max_size=40))
def test_no_order_of_reading_and_escalating_breaks_the_stairs(steps: list[Any]) -> None:
    """Whatever comes when, levels rise by one, each when it is due, and none after a reading."""
    log: list[Any] = [delivered()]
    now = NOW
    for step in steps:
        now += HOUR
        wanted = upwards(step) if isinstance(step, int) else step
        log += Given(given(DIGEST, *log).state).when(decide, wanted, now=now).events
    stairs = [event for event in log if isinstance(event, events.DigestEscalated)]
    assert [step.level for step in stairs] == list(range(1, len(stairs) + 1))
    assert len(stairs) <= MOST_LEVELS
    for step in stairs:
        assert step.event_time.ToDatetime(NOW.tzinfo) >= deadline(delivered(), step.level)
    read = [at for at, event in enumerate(log) if isinstance(event, events.DigestAcknowledged)]
    assert not read or read == [len(log) - 1]


def plan(**fields: Any) -> schedule.SetDigestSchedule:
    usual: dict[str, Any] = {
        "function": "functions/research",
        "every": 24 * HOUR,
        "acknowledge_within": 2 * HOUR,
    }
    return schedule.SetDigestSchedule.model_validate(usual | fields)


def planned(every: timedelta = 24 * HOUR) -> events.DigestScheduleSet:
    event = events.DigestScheduleSet(
        event_time=timestamp(NOW),
        schedule="digestSchedules/research",
        function="functions/research",
        start_time=timestamp(NOW),
    )
    event.every.FromTimedelta(every)
    event.acknowledge_within.FromTimedelta(2 * HOUR)
    return event


WITHDRAW = schedule.WithdrawDigestSchedule(name="digestSchedules/research", reason="they moved")
WITHDRAWN = events.DigestScheduleWithdrawn(
    event_time=timestamp(NOW),
    schedule="digestSchedules/research",
    function="functions/research",
    reason="they moved",
)


def test_a_function_has_one_schedule() -> None:
    """It is set, set anew, withdrawn once, and set again; it cannot begin in the future."""
    given(SCHEDULE).when(schedule.decide, plan()).then(planned())
    given(SCHEDULE, planned()).when(schedule.decide, plan(every=HOUR)).then(planned(HOUR))
    given(SCHEDULE, planned()).when(schedule.decide, WITHDRAW).then(WITHDRAWN)
    over = given(SCHEDULE, planned(), WITHDRAWN)
    over.when(schedule.decide, WITHDRAW).refused(Refusal, "SCHEDULE_WITHDRAWN")
    over.when(schedule.decide, plan()).then(planned())
    given(SCHEDULE).when(schedule.decide, WITHDRAW).refused(NotFound)
    ahead = given(SCHEDULE).when(schedule.decide, plan(start_time=NOW + 48 * HOUR))
    ahead.refused(Invalid)


@pytest.mark.parametrize("every", [timedelta(minutes=59), timedelta(days=367)])
def test_a_schedule_has_bounds(every: timedelta) -> None:
    """Digests come at most hourly, and at least every 366 days."""
    with pytest.raises(ValidationError, match="every"):
        plan(every=every)


def influence(**fields: Any) -> decision.RecordDecisionInfluence:
    usual: dict[str, Any] = {
        "decision": "decisions/1",
        "title": "the next model",
        "leader": "managers/maria",
        "function": "functions/research",
        "before": "a thinner case",
        "after": "a larger battery",
        "feedback": ["feedback/b", "feedback/a"],
        "needs": ["needs/1"],
    }
    return decision.RecordDecisionInfluence.model_validate(usual | fields)


def test_a_decision_names_what_changed_it() -> None:
    """Before, after, feedback and needs stand in the event; a decision is recorded once."""
    event = events.DecisionInfluenced(
        event_time=timestamp(NOW),
        decision="decisions/1",
        title="the next model",
        leader="managers/maria",
        function="functions/research",
        before="a thinner case",
        after="a larger battery",
        feedback=["feedback/a", "feedback/b"],
        needs=["needs/1"],
        decide_time=timestamp(NOW),
    )
    given(DECISION).when(decision.decide, influence()).then(event)
    again = given(DECISION, event).when(decision.decide, influence())
    again.refused(AlreadyExists, "DECISION_EXISTS")
    ahead = influence(decide_time=NOW + 48 * HOUR)
    given(DECISION).when(decision.decide, ahead).refused(Invalid)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"feedback": [], "needs": []}, {"feedback"}),
        ({"after": " a thinner case"}, {"after"}),
        ({"leader": "people/7", "before": " "}, {"leader", "before"}),
        ({"feedback": [f"feedback/{i}" for i in range(1001)]}, {"feedback"}),
    ],
)
def test_what_changed_nothing_is_no_influence(fields: dict[str, Any], wrong: set[str]) -> None:
    """A decision that stayed as it was, or that nobody's word changed, is refused."""
    with pytest.raises(ValidationError) as caught:
        influence(**fields)
    assert {violation.field for violation in violations(caught.value)} == wrong
