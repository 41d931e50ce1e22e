"""One piece of feedback: received once; its author, themes and cause as they are now known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from equiloop.feedback.v1 import events_pb2 as events
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from libs.kernel.refusals import AlreadyExists, NotFound, Refusal
from libs.kernel.values import timestamp
from services.feedback.domain.intake import (
    AttributeFeedback,
    ClassifyCause,
    CodeByModel,
    CodeFeedback,
    FeedbackCommand,
    RecordFeedback,
)


@dataclass(frozen=True, slots=True)
class Feedback:
    """Feedback as it now is; ``received`` is None until it was, ``customer`` the known author."""

    received: events.FeedbackReceived | None = None
    customer: str = ""
    coded: events.FeedbackCoded | None = None
    cause: events.CauseClassified | None = None
    changed: Timestamp | None = None


INITIAL = Feedback()


def decide(command: FeedbackCommand, state: Feedback, now: datetime) -> Sequence[Message]:
    """Answer what follows from ``command``."""
    if isinstance(command, RecordFeedback):
        return _record(command, state, now)
    if state.received is None:
        raise NotFound(command.name)
    match command:
        case AttributeFeedback():
            return _attribute(command, state, now)
        case CodeByModel():
            return _code(command, state, now) if _lets(state.coded, command) else []
        case CodeFeedback():
            return _code(command, state, now)
        case ClassifyCause():
            return _classify(command, now)


def _record(command: RecordFeedback, state: Feedback, now: datetime) -> Sequence[Message]:
    if state.received is None:
        return [_received(command, now)]
    again = _received(command, state.received.event_time.ToDatetime())
    if _sent(again) == _sent(state.received):
        return []
    message = f"{command.source!r} has sent {command.source_id!r} before, with other content"
    raise AlreadyExists("SOURCE_ID_REUSED", message, feedback=command.feedback)


def _received(command: RecordFeedback, at: datetime) -> events.FeedbackReceived:
    found = None if command.language_code else command.detected
    return events.FeedbackReceived(
        event_time=timestamp(at),
        feedback=command.feedback,
        customer=command.customer or "",
        channel=events.Channel.ValueType(command.channel),
        language_code=found.language_code if found else command.language_code or "",
        language_detector=found.detector.message() if found else None,
        text=command.text,
        score=None if command.score is None else command.score.message(),
        receive_time=timestamp(command.receive_time or at),
        source=command.source or "",
        source_id=command.source_id or "",
    )


def _sent(event: events.FeedbackReceived) -> events.FeedbackReceived:
    """Answer what the sender said: a newer detector may find another language in the same words."""
    if not event.HasField("language_detector"):
        return event
    sent = events.FeedbackReceived()
    sent.CopyFrom(event)
    sent.ClearField("language_code")
    sent.ClearField("language_detector")
    return sent


def _attribute(command: AttributeFeedback, state: Feedback, now: datetime) -> Sequence[Message]:
    if command.customer == state.customer:
        return []
    if state.customer and not command.evidence.strip():
        message = f"{command.name!r} has an author: evidence is needed for another"
        raise Refusal("EVIDENCE_NEEDED", message, feedback=command.name, customer=state.customer)
    return [
        events.FeedbackAttributed(
            event_time=timestamp(now),
            feedback=command.name,
            customer=command.customer,
            previous_customer=state.customer,
            by=command.by,
            evidence=command.evidence,
        )
    ]


def by_person(coded: events.FeedbackCoded) -> bool:
    """Say whether a person coded: only models have versions."""
    return not coded.coder.version


def _lets(coded: events.FeedbackCoded | None, command: CodeByModel) -> bool:
    """Say whether what was ``coded`` before leaves anything for a model to say."""
    if coded is None:
        return not command.silent
    if by_person(coded) or not command.anew:
        return False
    before = (coded.coder.name, coded.coder.version, coded.rules_version)
    return before != (command.coder.name, command.coder.version, command.rules_version)


def _code(command: CodeFeedback, state: Feedback, now: datetime) -> Sequence[Message]:
    return [
        events.FeedbackCoded(
            event_time=timestamp(now),
            feedback=command.name,
            customer=state.customer,
            themes=command.themes,
            sentiment=command.sentiment,
            without_sentiment=command.without_sentiment,
            coder=command.coder.message(),
            rules_version=command.rules_version if isinstance(command, CodeByModel) else 0,
        )
    ]


def _classify(command: ClassifyCause, now: datetime) -> Sequence[Message]:
    return [
        events.CauseClassified(
            event_time=timestamp(now),
            feedback=command.name,
            cause=events.Cause.ValueType(command.cause),
            by=command.by,
            evidence=command.evidence,
        )
    ]


def evolve(state: Feedback, event: Message) -> Feedback:
    """Answer ``state`` after ``event``."""
    match event:
        case events.FeedbackReceived():
            return Feedback(event, customer=event.customer, changed=event.event_time)
        case events.FeedbackAttributed():
            return replace(state, customer=event.customer, changed=event.event_time)
        case events.FeedbackCoded():
            return replace(state, coded=event, changed=event.event_time)
        case events.CauseClassified():
            return replace(state, cause=event, changed=event.event_time)
    return state
