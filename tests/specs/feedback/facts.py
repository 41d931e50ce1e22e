"""What may have happened, in few words: events of feedback and of actions."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from equiloop.feedback.v1 import events_pb2 as events

from libs.kernel.money import Money
from libs.kernel.values import timestamp
from tests.specs.given import NOW

WEB, EMAIL = events.CHANNEL_WEB, events.CHANNEL_EMAIL
COST = Money(currency_code="EUR", minor=500_000)
LIMIT = Money(currency_code="EUR", minor=100_000)


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


def names(keys: Iterable[str]) -> list[str]:
    """Feedback by its keys, sorted."""
    return [f"feedback/{key}" for key in sorted(keys)]


def committed(
    key: str, *feedback: str, at: datetime = NOW, promised: datetime | None = None, **fields: Any
) -> events.ActionCommitted:
    """The organisation promised to do something about these items (keys)."""
    usual: dict[str, Any] = {
        "kind": events.ACTION_KIND_PRODUCT_CHANGE,
        "title": "a larger battery",
        "owner": "functions/research",
    }
    return events.ActionCommitted(
        event_time=timestamp(at),
        action=f"actions/{key}",
        feedback=names(feedback),
        commit_time=timestamp(promised or at),
        **(usual | fields),
    )


def escalated(
    key: str, *feedback: str, at: datetime = NOW, **fields: Any
) -> events.ActionEscalated:
    """Somebody would promise it, and may not; his superior is asked."""
    usual: dict[str, Any] = {
        "kind": events.ACTION_KIND_PRODUCT_CHANGE,
        "title": "a larger battery",
        "owner": "functions/research",
        "cost": COST.message(),
        "committed_by": "managers/maria",
        "escalated_to": "managers/otto",
        "limit": LIMIT.message(),
    }
    return events.ActionEscalated(
        event_time=timestamp(at),
        action=f"actions/{key}",
        feedback=names(feedback),
        **(usual | fields),
    )


def linked(key: str, *feedback: str, at: datetime = NOW) -> events.ActionLinked:
    """The action answers these items, too."""
    return events.ActionLinked(
        event_time=timestamp(at), action=f"actions/{key}", feedback=names(feedback)
    )


def completed(
    key: str, *feedback: str, at: datetime = NOW, done: datetime | None = None
) -> events.ActionCompleted:
    """It was done."""
    return events.ActionCompleted(
        event_time=timestamp(at),
        action=f"actions/{key}",
        outcome="the battery lasts two days",
        feedback=names(feedback),
        complete_time=timestamp(done or at),
    )


def declined(
    key: str, *feedback: str, at: datetime = NOW, refused: datetime | None = None
) -> events.ActionDeclined:
    """It will not be done."""
    return events.ActionDeclined(
        event_time=timestamp(at),
        action=f"actions/{key}",
        reason="it would weigh too much",
        feedback=names(feedback),
        decline_time=timestamp(refused or at),
    )


def reopened(
    key: str, *feedback: str, at: datetime = NOW, awaits_approval: bool = False
) -> events.ActionReopened:
    """It does not hold any more, and opens these loops again."""
    return events.ActionReopened(
        event_time=timestamp(at),
        action=f"actions/{key}",
        reason="the batteries swell",
        by="managers/maria",
        feedback=names(feedback),
        awaits_approval=awaits_approval,
    )


def closed(
    key: str,
    feedback: str,
    *,
    at: datetime = NOW,
    told: datetime | None = None,
    customer: str = "customers/7",
    **fields: Any,
) -> events.LoopClosed:
    """The customer behind one item was told."""
    usual: dict[str, Any] = {
        "channel": EMAIL,
        "message": "your battery lasts two days now",
        "told_by": "functions/research",
    }
    return events.LoopClosed(
        event_time=timestamp(at),
        action=f"actions/{key}",
        feedback=f"feedback/{feedback}",
        told_time=timestamp(told or at),
        customer=customer,
        **(usual | fields),
    )


def confirmed(
    key: str, feedback: str, words: str = "", *, at: datetime = NOW, said: datetime | None = None
) -> events.LoopConfirmed:
    """The customer behind one item agrees."""
    return events.LoopConfirmed(
        event_time=timestamp(at),
        action=f"actions/{key}",
        feedback=f"feedback/{feedback}",
        customer="customers/7",
        words=words,
        respond_time=timestamp(said or at),
    )


def protested(
    key: str, feedback: str, *, at: datetime = NOW, said: datetime | None = None
) -> events.LoopProtested:
    """The customer behind one item does not agree."""
    return events.LoopProtested(
        event_time=timestamp(at),
        action=f"actions/{key}",
        feedback=f"feedback/{feedback}",
        customer="customers/7",
        reason="mine still dies at noon",
        respond_time=timestamp(said or at),
    )
