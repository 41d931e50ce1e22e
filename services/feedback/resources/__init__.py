"""State → resource: feedback and actions as the contract shows them."""

from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api
from google.protobuf.duration_pb2 import Duration

from libs.decider import Handled
from libs.eventstore.port import RecordedEvent
from libs.kernel.values import timestamp
from services.feedback.domain.action import Action, happened
from services.feedback.domain.feedback import Feedback
from services.feedback.domain.theme_rules import DEFAULT, ThemeRules
from services.feedback.funnel import Funnel
from services.feedback.ranking import Stake
from services.feedback.views.waiting import Waiting


def feedback(handled: Handled[Feedback]) -> api.Feedback:
    """Answer feedback with its author, its coding and its cause by the latest of each."""
    state = handled.state
    received, coded = state.received, state.coded
    assert received is not None
    resource = api.Feedback(
        name=received.feedback,
        customer=state.customer,
        channel=received.channel,
        language_code=received.language_code,
        text=received.text,
        score=received.score if received.HasField("score") else None,
        receive_time=received.receive_time,
        source=received.source,
        source_id=received.source_id,
        create_time=received.event_time,
        update_time=state.changed,
        etag=str(handled.revision),
        cause=state.cause.cause if state.cause else events.CAUSE_UNSPECIFIED,
    )
    if received.HasField("language_detector"):
        resource.language_detector.CopyFrom(received.language_detector)
    if coded is not None:
        resource.themes.extend(coded.themes)
        resource.coder.CopyFrom(coded.coder)
        resource.rules_version = coded.rules_version
        if not coded.without_sentiment:
            resource.sentiment = coded.sentiment
    return resource


def coding(recorded: RecordedEvent, coded: events.FeedbackCoded) -> api.Coding:
    """Answer one coding as it stands in history."""
    return api.Coding(
        themes=coded.themes,
        sentiment=None if coded.without_sentiment else coded.sentiment,
        coder=coded.coder,
        rules_version=coded.rules_version,
        event_time=coded.event_time,
        event_id=str(recorded.id),
        position=recorded.position,
    )


def theme_rules(handled: Handled[ThemeRules] | None) -> api.ThemeRules:
    """Answer the rules by which models propose themes; none were set: version 0."""
    latest = handled.state.latest if handled else None
    if handled is None or latest is None:
        return api.ThemeRules(name=DEFAULT)
    return api.ThemeRules(
        name=latest.theme_rules,
        version=latest.version,
        rules=latest.rules,
        assumed_language_code=latest.assumed_language_code,
        by=latest.by,
        update_time=latest.event_time,
        etag=str(handled.revision),
    )


def action(handled: Handled[Action]) -> api.Action:
    """Answer an action as it stands."""
    state = handled.state
    promise, escalated, committed = state.promise, state.escalated, state.committed
    assert promise is not None
    resource = api.Action(
        name=promise.action,
        kind=promise.kind,
        title=promise.title,
        feedback=sorted(state.feedback),
        needs=sorted(state.needs),
        owner=promise.owner,
        due_date=promise.due_date if promise.HasField("due_date") else None,
        state=api.ACTION_STATE_ESCALATED if committed is None else api.ACTION_STATE_COMMITTED,
        told_count=len(state.told),
        create_time=(escalated or promise).event_time,
        update_time=state.changed,
        etag=str(handled.revision),
        cost=promise.cost if promise.HasField("cost") else None,
        committed_by=promise.committed_by,
        offer=promise.offer,
        confirmed_count=len(state.confirmed),
        protested_count=len(state.protested),
        reopened_count=state.reopened,
    )
    if committed is not None:
        resource.approved_by = committed.approved_by
        resource.commit_time.CopyFrom(timestamp(happened(committed, "commit_time")))
    if escalated is not None:
        resource.escalated_to = escalated.escalated_to if committed is None else ""
        if escalated.HasField("limit"):
            resource.limit.CopyFrom(escalated.limit)
    match state.ended:
        case events.ActionCompleted() as completed:
            resource.state, resource.outcome = api.ACTION_STATE_COMPLETED, completed.outcome
            resource.end_time.CopyFrom(timestamp(state.since))
        case events.ActionDeclined() as declined:
            resource.state, resource.outcome = api.ACTION_STATE_DECLINED, declined.reason
            resource.end_time.CopyFrom(timestamp(state.since))
    return resource


def open_loop(loop: Waiting, now: int) -> api.OpenLoop:
    """Answer who waits, and at ``now`` (µs) how long; without what the customer is worth."""
    answer = api.OpenLoop(
        feedback=loop.feedback,
        customer=loop.customer,
        channel=events.Channel.ValueType(loop.channel),
        age=duration(max(now - loop.receive_time, 0)),
        themes=loop.themes,
        actions=loop.actions,
        functions=loop.functions,
    )
    answer.receive_time.FromMicroseconds(loop.receive_time)
    if loop.reopened is not None:
        answer.reopen_time.FromMicroseconds(loop.reopened)
    return answer


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


def stake(of: Stake, *, places: bool = True) -> api.Stake:
    """Answer whom something is for and what they are worth, with its places among others."""
    return api.Stake(
        customer_count=of.heads,
        equity=of.money,
        rank_by_heads=of.by_heads if places else 0,
        rank_by_equity=of.by_equity if places else 0,
    )


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
