"""One need: what customers want, drawn from feedback, then judged; the latest judgement counts."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated

from equiloop.feedback.v1 import market_events_pb2 as events
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import Field

from libs.kernel.refusals import AlreadyExists, NotFound, Refusal
from libs.kernel.values import (
    Actor,
    Command,
    Etag,
    FeedbackNames,
    NeedName,
    Words,
    known,
    timestamp,
)

MOST_EVIDENCE = 10_000
"""Most feedback items that one need holds."""

_Evidence = Annotated[FeedbackNames, Field(min_length=1, max_length=1000)]


class IdentifyNeed(Command):
    """Somebody sees in feedback what customers want."""

    need: NeedName
    title: Annotated[Words, Field(max_length=500)]
    feedback: _Evidence
    by: Actor
    description: Annotated[str, Field(max_length=5000)] = ""


class AddNeedEvidence(Command):
    """More feedback speaks of it."""

    name: NeedName
    feedback: _Evidence
    by: Actor
    etag: Etag | None = None


class ValidateNeed(Command):
    """It was found to be there."""

    name: NeedName
    method: Annotated[int, known(events.ValidationMethod)]
    evidence: Annotated[Words, Field(max_length=5000)]
    by: Actor
    etag: Etag | None = None


class RejectNeed(Command):
    """It was found not to be there, or not to be ours to answer."""

    name: NeedName
    reason: Annotated[Words, Field(max_length=2000)]
    by: Actor
    etag: Etag | None = None


NeedCommand = IdentifyNeed | AddNeedEvidence | ValidateNeed | RejectNeed


@dataclass(frozen=True, slots=True)
class Need:
    """A need as it now is; ``identified`` is None until it was."""

    identified: events.NeedIdentified | None = None
    judged: events.NeedValidated | events.NeedRejected | None = None
    feedback: frozenset[str] = field(default_factory=frozenset)
    changed: Timestamp | None = None


INITIAL = Need()


def decide(command: NeedCommand, state: Need, now: datetime) -> Sequence[Message]:
    """Answer what follows from ``command``."""
    if isinstance(command, IdentifyNeed):
        return _identify(command, state, now)
    if state.identified is None:
        raise NotFound(command.name)
    match command:
        case AddNeedEvidence():
            return _add(command, state, now)
        case ValidateNeed():
            return [
                events.NeedValidated(
                    event_time=timestamp(now),
                    need=command.name,
                    method=events.ValidationMethod.ValueType(command.method),
                    evidence=command.evidence,
                    by=command.by,
                )
            ]
        case RejectNeed():
            return _reject(command, state, now)


def _identify(command: IdentifyNeed, state: Need, now: datetime) -> Sequence[Message]:
    if state.identified is not None:
        message = f"{command.need!r} was identified before"
        raise AlreadyExists("NEED_EXISTS", message, need=command.need)
    return [
        events.NeedIdentified(
            event_time=timestamp(now),
            need=command.need,
            title=command.title,
            description=command.description,
            feedback=command.feedback,
            by=command.by,
        )
    ]


def _add(command: AddNeedEvidence, state: Need, now: datetime) -> Sequence[Message]:
    new = [name for name in command.feedback if name not in state.feedback]
    if len(state.feedback) + len(new) > MOST_EVIDENCE:
        message = f"{command.name!r} would hold more than {MOST_EVIDENCE} feedback items"
        raise Refusal("TOO_MUCH_EVIDENCE", message, need=command.name)
    if not new:
        return []
    return [
        events.NeedEvidenceAdded(
            event_time=timestamp(now), need=command.name, feedback=new, by=command.by
        )
    ]


def _reject(command: RejectNeed, state: Need, now: datetime) -> Sequence[Message]:
    if isinstance(state.judged, events.NeedRejected):
        message = f"{command.name!r} was rejected before"
        raise Refusal("NEED_REJECTED", message, need=command.name)
    return [
        events.NeedRejected(
            event_time=timestamp(now), need=command.name, reason=command.reason, by=command.by
        )
    ]


def evolve(state: Need, event: Message) -> Need:
    """Answer ``state`` after ``event``."""
    match event:
        case events.NeedIdentified():
            evidence = frozenset(event.feedback)
            return replace(state, identified=event, feedback=evidence, changed=event.event_time)
        case events.NeedEvidenceAdded():
            evidence = state.feedback | frozenset(event.feedback)
            return replace(state, feedback=evidence, changed=event.event_time)
        case events.NeedValidated() | events.NeedRejected():
            return replace(state, judged=event, changed=event.event_time)
    return state
