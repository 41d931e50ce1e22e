"""State → resource: needs, themes, digests and decisions as the contract shows them."""

from equiloop.feedback.v1 import market_events_pb2 as events
from equiloop.feedback.v1 import market_service_pb2 as api

from libs.decider import Handled
from services.feedback.domain.need import Need
from services.feedback.domain.theme import Theme
from services.feedback.ranking import Stake


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
