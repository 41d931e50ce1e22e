"""What may have happened, in few words: events of feedback and of actions."""

from datetime import datetime

from equiloop.feedback.v1 import events_pb2 as events

from libs.kernel.values import timestamp
from tests.specs.given import NOW

WEB, EMAIL = events.CHANNEL_WEB, events.CHANNEL_EMAIL


def received(
    key: str = "1",
    *,
    customer: str = "",
    channel: events.Channel.ValueType = WEB,
    said: datetime = NOW,
    at: datetime = NOW,
    text: str = "the battery dies",
    score: events.Score | None = None,
    source: str = "",
    source_id: str = "",
) -> events.FeedbackReceived:
    """A customer (`customers/7`; empty: unknown) said something, recorded ``at`` an instant."""
    return events.FeedbackReceived(
        event_time=timestamp(at),
        feedback=f"feedback/{key}",
        customer=customer,
        channel=channel,
        text=text,
        score=score,
        receive_time=timestamp(said),
        source=source,
        source_id=source_id,
    )


def coded(
    key: str = "1", *themes: str, customer: str = "", sentiment: float = 0.0, at: datetime = NOW
) -> events.FeedbackCoded:
    """Somebody said what feedback is about."""
    return events.FeedbackCoded(
        event_time=timestamp(at),
        feedback=f"feedback/{key}",
        customer=customer,
        themes=themes,
        sentiment=sentiment,
        coder=events.Coder(name="people/7"),
    )


def committed(key: str, *feedback: str, at: datetime = NOW) -> events.ActionCommitted:
    """The organisation promised to do something about these items (keys)."""
    return events.ActionCommitted(
        event_time=timestamp(at),
        action=f"actions/{key}",
        kind=events.ACTION_KIND_PRODUCT_CHANGE,
        title="a larger battery",
        feedback=[f"feedback/{item}" for item in feedback],
        owner="functions/research",
    )


def completed(key: str, *feedback: str, at: datetime = NOW) -> events.ActionCompleted:
    """It was done."""
    return events.ActionCompleted(
        event_time=timestamp(at),
        action=f"actions/{key}",
        outcome="the battery lasts two days",
        feedback=[f"feedback/{item}" for item in feedback],
    )


def declined(key: str, *feedback: str, at: datetime = NOW) -> events.ActionDeclined:
    """It will not be done."""
    return events.ActionDeclined(
        event_time=timestamp(at),
        action=f"actions/{key}",
        reason="it would weigh too much",
        feedback=[f"feedback/{item}" for item in feedback],
    )


def closed(key: str, feedback: str, *, told: datetime = NOW) -> events.LoopClosed:
    """The customer behind one item was told."""
    return events.LoopClosed(
        event_time=timestamp(told),
        action=f"actions/{key}",
        feedback=f"feedback/{feedback}",
        channel=EMAIL,
        message="your battery lasts two days now",
        told_time=timestamp(told),
    )
