"""What the organisation promises: committed to within somebody's authority, kept or taken back."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Self

from equiloop.feedback.v1 import events_pb2 as events
from google.protobuf.message import Message
from google.type.date_pb2 import Date
from pydantic import AfterValidator, Field, model_validator

from libs.kernel.money import Money, to_minor, to_text
from libs.kernel.refusals import AlreadyExists, FieldError, NotFound, Refusal
from libs.kernel.values import (
    ActionName,
    Actor,
    Command,
    Etag,
    FeedbackNames,
    FunctionName,
    Instant,
    ManagerName,
    NeedNames,
    OfferName,
    Words,
    known,
    timestamp,
)
from services.feedback.domain.action import Action, moment

MAX_LINKS = 1000
"""Feedback items, and needs, that one action answers at most."""


def _positive(cost: Money) -> Money:
    if cost.minor <= 0:
        msg = "must be more than nothing: leave it out where there is none"
        raise ValueError(msg)
    return cost


class Authority(Command):
    """What was found of somebody's authority over a cost: within it, or who is asked instead."""

    granted: bool
    limit: Money | None = None
    escalate_to: ManagerName | None = None


UNCHECKED = Authority(granted=False)
"""Nobody has looked: what costs something cannot be committed so."""


class CommitAction(Command):
    """The organisation promises to do something about feedback or needs."""

    action: ActionName
    kind: Annotated[int, known(events.ActionKind)]
    title: Annotated[Words, Field(max_length=500)]
    owner: FunctionName
    feedback: Annotated[FeedbackNames, Field(max_length=MAX_LINKS)] = ()
    needs: Annotated[NeedNames, Field(max_length=MAX_LINKS)] = ()
    due_date: date | None = None
    cost: Annotated[Money, AfterValidator(_positive)] | None = None
    committed_by: ManagerName | None = None
    offer: OfferName | None = None
    commit_time: Instant | None = None
    authority: Authority = UNCHECKED

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.feedback and not self.needs:
            msg = "feedback or needs is needed: an action answers somebody"
            raise FieldError("feedback", msg)
        if self.cost is not None and self.committed_by is None:
            msg = "is needed where there is a cost: somebody answers for it"
            raise FieldError("committed_by", msg)
        if self.offer is not None and self.kind != events.ACTION_KIND_OFFER:
            msg = "belongs to an action of kind ACTION_KIND_OFFER"
            raise FieldError("offer", msg)
        return self


class ApproveAction(Command):
    """Somebody with the authority commits to what was over another's."""

    name: ActionName
    approved_by: ManagerName
    authority: Authority = UNCHECKED
    etag: Etag | None = None


class LinkFeedback(Command):
    """The action answers more people than was known when it was promised."""

    name: ActionName
    feedback: Annotated[FeedbackNames, Field(max_length=MAX_LINKS)] = ()
    needs: Annotated[NeedNames, Field(max_length=MAX_LINKS)] = ()
    etag: Etag | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.feedback and not self.needs:
            msg = "feedback or needs is needed"
            raise FieldError("feedback", msg)
        return self


class CompleteAction(Command):
    """What was promised is done."""

    name: ActionName
    outcome: Annotated[Words, Field(max_length=2000)]
    complete_time: Instant | None = None
    etag: Etag | None = None


class DeclineAction(Command):
    """What was promised will not be done, for a reason that customers can be told."""

    name: ActionName
    reason: Annotated[Words, Field(max_length=2000)]
    decline_time: Instant | None = None
    etag: Etag | None = None


class ReopenAction(Command):
    """What was done, or refused, does not hold any more."""

    name: ActionName
    reason: Annotated[Words, Field(max_length=2000)]
    by: Actor
    etag: Etag | None = None


PromiseCommand = (
    CommitAction | ApproveAction | LinkFeedback | CompleteAction | DeclineAction | ReopenAction
)


def decide(command: PromiseCommand, state: Action, now: datetime) -> Sequence[Message]:
    """Answer what follows from ``command``."""
    if isinstance(command, CommitAction):
        return _commit(command, state, now)
    if state.promise is None:
        raise NotFound(command.name)
    match command:
        case ApproveAction():
            return _approve(command, state, now)
        case LinkFeedback():
            return _link(command, state, now)
        case CompleteAction():
            return _complete(command, state, now)
        case DeclineAction():
            return _decline(command, state, now)
        case ReopenAction():
            return _reopen(command, state, now)


def _commit(command: CommitAction, state: Action, now: datetime) -> Sequence[Message]:
    if state.promise is not None:
        message = f"{command.action!r} was recorded before"
        raise AlreadyExists("ACTION_EXISTS", message, action=command.action)
    at = moment("commit_time", command.commit_time, now, after=state.since)
    day, cost, limit = command.due_date, command.cost, command.authority.limit
    promise: dict[str, Any] = {
        "event_time": timestamp(now),
        "action": command.action,
        "kind": command.kind,
        "title": command.title,
        "feedback": command.feedback,
        "needs": command.needs,
        "owner": command.owner,
        "due_date": None if day is None else Date(year=day.year, month=day.month, day=day.day),
        "cost": None if cost is None else cost.message(),
        "committed_by": command.committed_by,
        "offer": command.offer,
    }
    if cost is None or command.authority.granted:
        return [events.ActionCommitted(**promise, commit_time=timestamp(at))]
    return [
        events.ActionEscalated(
            **promise,
            escalated_to=command.authority.escalate_to or "",
            limit=None if limit is None else limit.message(),
        )
    ]


def _approve(command: ApproveAction, state: Action, now: datetime) -> Sequence[Message]:
    _stands(state, command.name)
    escalated = state.escalated
    if escalated is None or state.committed is not None:
        message = f"{command.name!r} is committed: it does not wait for approval"
        raise Refusal("NOT_ESCALATED", message, action=command.name)
    if not command.authority.granted:
        raise _over_authority(command, escalated)
    return [
        events.ActionCommitted(
            event_time=timestamp(now),
            action=escalated.action,
            kind=escalated.kind,
            title=escalated.title,
            feedback=sorted(state.feedback),
            needs=sorted(state.needs),
            owner=escalated.owner,
            due_date=escalated.due_date if escalated.HasField("due_date") else None,
            cost=escalated.cost,
            committed_by=escalated.committed_by,
            approved_by=command.approved_by,
            offer=escalated.offer,
            commit_time=timestamp(max(now, state.since)),
        )
    ]


def _over_authority(command: ApproveAction, escalated: events.ActionEscalated) -> Refusal:
    cost = to_text(to_minor(escalated.cost), escalated.cost.currency_code)
    limit = command.authority.limit
    return Refusal(
        "OVER_AUTHORITY",
        f"{command.approved_by!r} may not commit to {cost}",
        action=command.name,
        manager=command.approved_by,
        cost=cost,
        limit="" if limit is None else to_text(limit.minor, limit.currency_code),
        escalate_to=command.authority.escalate_to or "",
    )


def _link(command: LinkFeedback, state: Action, now: datetime) -> Sequence[Message]:
    if isinstance(state.ended, events.ActionDeclined):
        _stands(state, command.name)
    feedback = sorted(set(command.feedback) - state.feedback.keys())
    needs = sorted(set(command.needs) - state.needs)
    if not feedback and not needs:
        return []
    _bounded(command.name, len(state.feedback) + len(feedback), len(state.needs) + len(needs))
    return [
        events.ActionLinked(
            event_time=timestamp(now), action=command.name, feedback=feedback, needs=needs
        )
    ]


def _bounded(name: str, *counts: int) -> None:
    if max(counts) > MAX_LINKS:
        message = f"{name!r} would answer {max(counts)}, of {MAX_LINKS} at most: commit another"
        raise Refusal("TOO_MANY_LINKS", message, action=name, most=str(MAX_LINKS))


def _complete(command: CompleteAction, state: Action, now: datetime) -> Sequence[Message]:
    _stands(state, command.name)
    if state.committed is None:
        message = f"{command.name!r} waits for approval: nobody has committed to it"
        raise Refusal("NOT_COMMITTED", message, action=command.name)
    at = moment("complete_time", command.complete_time, now, after=state.since)
    return [
        events.ActionCompleted(
            event_time=timestamp(now),
            action=command.name,
            outcome=command.outcome,
            feedback=sorted(state.feedback),
            complete_time=timestamp(at),
        )
    ]


def _decline(command: DeclineAction, state: Action, now: datetime) -> Sequence[Message]:
    _stands(state, command.name)
    at = moment("decline_time", command.decline_time, now, after=state.since)
    return [
        events.ActionDeclined(
            event_time=timestamp(now),
            action=command.name,
            reason=command.reason,
            feedback=sorted(state.feedback),
            decline_time=timestamp(at),
        )
    ]


def _stands(state: Action, name: str) -> None:
    if state.ended is not None:
        verb = "completed" if isinstance(state.ended, events.ActionCompleted) else "declined"
        raise Refusal("ACTION_ENDED", f"{name!r} was {verb} before", action=name)


def _reopen(command: ReopenAction, state: Action, now: datetime) -> Sequence[Message]:
    if state.ended is None:
        message = f"{command.name!r} was neither completed nor declined"
        raise Refusal("NOT_ENDED", message, action=command.name)
    return [
        events.ActionReopened(
            event_time=timestamp(now),
            action=command.name,
            reason=command.reason,
            by=command.by,
            feedback=sorted(state.told),
            awaits_approval=state.committed is None,
        )
    ]
