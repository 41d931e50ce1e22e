"""One action: promised because of feedback or needs, then done or refused, then told.

    (nothing) → ESCALATED → COMMITTED → COMPLETED | DECLINED → told, item by item
    (nothing) → COMMITTED             ← reopened

What may become of it is decided in promise.py, who may be told in loop.py; here is what it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from equiloop.feedback.v1 import events_pb2 as events
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from libs.kernel.refusals import Invalid
from libs.kernel.times import not_ahead
from libs.kernel.values import FeedbackName, NeedName, instant

Promise = events.ActionCommitted | events.ActionEscalated
Ended = events.ActionCompleted | events.ActionDeclined


_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Action:
    """An action as it now is; ``committed`` is None until it was, ``ended`` while it stands.

    ``since`` is when it came to stand, or end, as it now does. ``feedback`` has when each item was
    linked, ``told`` when each customer was told whose loop this action now holds closed.
    """

    escalated: events.ActionEscalated | None = None
    committed: events.ActionCommitted | None = None
    ended: Ended | None = None
    since: datetime = _NEVER
    feedback: Mapping[FeedbackName, datetime] = field(default_factory=dict)
    needs: frozenset[NeedName] = frozenset()
    told: Mapping[FeedbackName, datetime] = field(default_factory=dict)
    confirmed: frozenset[FeedbackName] = frozenset()
    protested: frozenset[FeedbackName] = frozenset()
    reopened: int = 0
    changed: Timestamp | None = None

    @property
    def promise(self) -> Promise | None:
        """What was promised, or shall be once it is approved; None: nothing ever was."""
        return self.committed or self.escalated


INITIAL = Action()


def happened(event: Any, time: str) -> datetime:
    """Answer when ``event`` happened; the oldest know only when they were recorded."""
    return instant(getattr(event, time if event.HasField(time) else "event_time"))


def moment(time: str, given: datetime | None, now: datetime, *, after: datetime) -> datetime:
    """Answer when something happened: as told, or now; never before what it follows upon.

    Raises Invalid, naming the field ``time``, for the future and for what came first.
    """
    if given is None:
        return max(now, after)
    not_ahead(time, given, now)
    if given < after:
        raise Invalid.field(time, f"must not be before what it follows upon, at {after:%FT%T%z}")
    return given


def evolve(state: Action, event: Message) -> Action:
    """Answer ``state`` after ``event``."""
    match event:
        case events.ActionEscalated():
            at = instant(event.event_time)
            state = replace(_linked(state, event, at), escalated=event, since=at)
        case events.ActionCommitted():
            at = happened(event, "commit_time")
            state = replace(_linked(state, event, at), committed=event, since=at)
        case events.ActionLinked():
            state = _linked(state, event, instant(event.event_time))
        case events.ActionCompleted():
            state = replace(state, ended=event, since=happened(event, "complete_time"))
        case events.ActionDeclined():
            state = replace(state, ended=event, since=happened(event, "decline_time"))
        case events.ActionReopened():
            state = _reopened(state, event)
        case events.LoopClosed():
            told = {**state.told, event.feedback: instant(event.told_time)}
            state = replace(state, told=told)
        case events.LoopConfirmed():
            state = replace(state, confirmed=state.confirmed | {event.feedback})
        case events.LoopProtested():
            state = _protested(state, event.feedback)
        case _:
            return state
    return replace(state, changed=event.event_time)


def _linked(state: Action, event: Promise | events.ActionLinked, at: datetime) -> Action:
    feedback = dict.fromkeys(event.feedback, at) | dict(state.feedback)
    return replace(state, feedback=feedback, needs=state.needs.union(event.needs))


def _reopened(state: Action, event: events.ActionReopened) -> Action:
    return replace(
        state,
        ended=None,
        since=max(state.since, instant(event.event_time)),
        told={},
        confirmed=frozenset(),
        protested=frozenset(),
        reopened=state.reopened + 1,
    )


def _protested(state: Action, feedback: str) -> Action:
    return replace(
        state,
        told={name: at for name, at in state.told.items() if name != feedback},
        confirmed=state.confirmed - {feedback},
        protested=state.protested | {feedback},
    )
