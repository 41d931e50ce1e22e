"""State → resource: feedback and actions as the contract shows them."""

from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api
from google.protobuf.duration_pb2 import Duration

from libs.decider import Handled
from services.feedback.domain.action import Action
from services.feedback.domain.feedback import Feedback
from services.feedback.funnel import Funnel
from services.feedback.ranking import Stake


def feedback(handled: Handled[Feedback]) -> api.Feedback:
    """Answer feedback with its latest coding."""
    received, coded = handled.state.received, handled.state.coded
    assert received is not None
    resource = api.Feedback(
        name=received.feedback,
        customer=received.customer,
        channel=received.channel,
        language_code=received.language_code,
        text=received.text,
        score=received.score if received.HasField("score") else None,
        receive_time=received.receive_time,
        source=received.source,
        source_id=received.source_id,
        create_time=received.event_time,
        update_time=received.event_time,
        etag=str(handled.revision),
    )
    if coded is not None:
        resource.themes.extend(coded.themes)
        resource.sentiment = coded.sentiment
        resource.coder.CopyFrom(coded.coder)
        resource.update_time.CopyFrom(coded.event_time)
    return resource


def action(handled: Handled[Action]) -> api.Action:
    """Answer an action as it stands."""
    committed, ended = handled.state.committed, handled.state.ended
    assert committed is not None
    resource = api.Action(
        name=committed.action,
        kind=committed.kind,
        title=committed.title,
        feedback=committed.feedback,
        needs=committed.needs,
        owner=committed.owner,
        due_date=committed.due_date if committed.HasField("due_date") else None,
        state=api.ACTION_STATE_COMMITTED,
        told_count=len(handled.state.told),
        create_time=committed.event_time,
        update_time=handled.state.changed,
        etag=str(handled.revision),
    )
    match ended:
        case events.ActionCompleted():
            resource.state, resource.outcome = api.ACTION_STATE_COMPLETED, ended.outcome
        case events.ActionDeclined():
            resource.state, resource.outcome = api.ACTION_STATE_DECLINED, ended.reason
    return resource


POINTS = 100
"""Most points of a Kaplan–Meier curve that are shown."""


def feedback_to_action(funnel: Funnel) -> api.FeedbackToAction:
    """Answer a funnel, with its rates and its curve; of an empty one the rates are 0."""
    received, closing = funnel.received, funnel.closing
    answer = api.FeedbackToAction(
        received_count=received,
        linked_count=funnel.linked,
        committed_count=funnel.committed,
        completed_count=funnel.completed,
        declined_count=funnel.declined,
        told_count=funnel.told,
        open_count=received - funnel.told,
        reopened_count=funnel.reopened,
        feedback_to_action=funnel.completed / received if received else 0.0,
        closed_loop_rate=funnel.told / received if received else 0.0,
        link_count=funnel.links,
    )
    if closing.median is not None:
        answer.median_time_to_close.CopyFrom(duration(closing.median))
    shown = closing.thinned(POINTS)
    for micros, share, at_risk in zip(
        shown.durations.tolist(), shown.shares.tolist(), shown.at_risk.tolist(), strict=True
    ):
        answer.time_to_close.add(duration=duration(micros), open_share=share, at_risk_count=at_risk)
    return answer


def duration(micros: int) -> Duration:
    """Answer microseconds as the contract writes a duration."""
    message = Duration()
    message.FromMicroseconds(micros)
    return message


def theme_at_stake(stake: Stake) -> api.ThemeAtStake:
    """Answer what is at stake in a theme."""
    return api.ThemeAtStake(
        theme=stake.name,
        equity_at_stake=stake.money,
        customer_count=stake.heads,
        open_feedback_count=stake.items,
        rank_by_heads=stake.by_heads,
        rank_by_equity=stake.by_equity,
    )
