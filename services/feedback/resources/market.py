"""State → resource: needs, themes, digests and decisions as the contract shows them."""

from collections.abc import Sequence

from equiloop.feedback.v1 import market_events_pb2 as events
from equiloop.feedback.v1 import market_service_pb2 as api

from libs.decider import Handled
from libs.kernel.values import instant
from services.feedback.domain.decision import Decision
from services.feedback.domain.digest import Digest
from services.feedback.domain.need import Need
from services.feedback.domain.schedule import Schedule
from services.feedback.domain.theme import Theme
from services.feedback.ranking import Stake
from services.feedback.views.digests import Voice


def need(handled: Handled[Need]) -> api.Need:
    """Answer a need as it stands."""
    identified = handled.state.identified
    assert identified is not None
    resource = api.Need(
        name=identified.need,
        title=identified.title,
        description=identified.description,
        feedback=sorted(handled.state.feedback),
        state=api.NEED_STATE_IDENTIFIED,
        identified_by=identified.by,
        create_time=identified.event_time,
        update_time=handled.state.changed,
        etag=str(handled.revision),
    )
    match handled.state.judged:
        case events.NeedValidated() as judged:
            resource.state, resource.method = api.NEED_STATE_VALIDATED, judged.method
            resource.evidence, resource.judged_by = judged.evidence, judged.by
        case events.NeedRejected() as judged:
            resource.state = api.NEED_STATE_REJECTED
            resource.evidence, resource.judged_by = judged.reason, judged.by
    return resource


def theme(handled: Handled[Theme]) -> api.ThemeDecision:
    """Answer what was decided about a theme."""
    decided = handled.state.decided
    assert decided is not None
    return api.ThemeDecision(
        theme=decided.theme,
        priority=decided.priority,
        reason=decided.reason,
        by=decided.by,
        create_time=handled.state.since,
        update_time=decided.event_time,
        etag=str(handled.revision),
    )


def need_at_stake(handled: Handled[Need], stake: Stake) -> api.NeedAtStake:
    """Answer a need with what is at stake in it."""
    return api.NeedAtStake(
        need=need(handled),
        equity_at_stake=stake.money,
        customer_count=stake.heads,
        open_feedback_count=stake.items,
        rank_by_heads=stake.by_heads,
        rank_by_equity=stake.by_equity,
    )


def theme_priority(stake: Stake) -> api.ThemePriority:
    """Answer what is at stake in a theme, before what people decided about it."""
    return api.ThemePriority(
        theme=stake.name,
        equity_at_stake=stake.money,
        customer_count=stake.heads,
        open_feedback_count=stake.items,
        rank_by_heads=stake.by_heads,
        rank_by_equity=stake.by_equity,
    )


def digest(handled: Handled[Digest]) -> api.Digest:
    """Answer a digest as it was delivered, and what became of it."""
    state, delivered, read = handled.state, handled.state.delivered, handled.state.acknowledged
    assert delivered is not None
    resource = api.Digest(
        name=delivered.digest,
        delivered=delivered,
        state=api.DIGEST_STATE_ESCALATED if state.escalations else api.DIGEST_STATE_DELIVERED,
        escalations=[
            api.DigestEscalation(
                level=step.level, to=step.to, escalate_time=step.event_time, deadline=step.deadline
            )
            for step in state.escalations
        ],
        create_time=delivered.event_time,
        update_time=state.changed,
        etag=str(handled.revision),
    )
    if read is not None:
        resource.state = api.DIGEST_STATE_ACKNOWLEDGED
        resource.acknowledged_by, resource.note = read.by, read.note
        resource.acknowledge_time.CopyFrom(read.event_time)
        resource.in_time = instant(read.event_time) <= instant(delivered.acknowledge_by)
    return resource


def voice(counted: Voice, heard: Sequence[tuple[str, int]]) -> api.FunctionVoice:
    """Answer what a function heard of the market."""
    return api.FunctionVoice(
        function=counted.function,
        delivered_count=counted.delivered,
        acknowledged_count=counted.acknowledged,
        in_time_count=counted.in_time,
        escalated_count=counted.escalated,
        overdue_count=counted.overdue,
        themes=[api.HeardTheme(theme=theme, digest_count=count) for theme, count in heard],
    )


def schedule(handled: Handled[Schedule]) -> api.DigestSchedule:
    """Answer a schedule as it stands."""
    terms = handled.state.terms
    assert terms is not None
    return api.DigestSchedule(
        name=terms.schedule,
        function=terms.function,
        every=terms.every,
        acknowledge_within=terms.acknowledge_within,
        only_themes=terms.only_themes,
        start_time=terms.start_time,
        withdrawn=handled.state.withdrawn,
        create_time=handled.state.since,
        update_time=handled.state.changed,
        etag=str(handled.revision),
    )


def decision(handled: Handled[Decision]) -> api.Decision:
    """Answer a decision."""
    influenced = handled.state.influenced
    assert influenced is not None
    return api.Decision(
        name=influenced.decision,
        title=influenced.title,
        leader=influenced.leader,
        function=influenced.function,
        before=influenced.before,
        after=influenced.after,
        feedback=influenced.feedback,
        needs=influenced.needs,
        decide_time=influenced.decide_time,
        create_time=influenced.event_time,
    )
