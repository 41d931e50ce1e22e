"""What may have happened in the market, in few words."""

from equiloop.feedback.v1 import market_events_pb2 as events

from libs.kernel.values import timestamp
from tests.specs.given import NOW

AT = timestamp(NOW)


def identified(key: str, *feedback: str) -> events.NeedIdentified:
    """Somebody saw in feedback (keys) what customers want."""
    return events.NeedIdentified(
        event_time=AT,
        need=f"needs/{key}",
        title="a day without a socket",
        feedback=[f"feedback/{item}" for item in feedback],
        by="people/7",
    )


def added(key: str, *feedback: str) -> events.NeedEvidenceAdded:
    """More feedback speaks of it."""
    return events.NeedEvidenceAdded(
        event_time=AT,
        need=f"needs/{key}",
        feedback=[f"feedback/{item}" for item in feedback],
        by="people/8",
    )


def validated(key: str) -> events.NeedValidated:
    """It was found to be there."""
    return events.NeedValidated(
        event_time=AT,
        need=f"needs/{key}",
        method=events.VALIDATION_METHOD_SURVEY,
        evidence="41 % of 900",
        by="people/8",
    )


def rejected(key: str) -> events.NeedRejected:
    """It was found not to be there."""
    return events.NeedRejected(
        event_time=AT, need=f"needs/{key}", reason="2 % of 900", by="people/8"
    )


def prioritised(theme: str, priority: int) -> events.ThemePrioritised:
    """People decided how urgent a theme is."""
    return events.ThemePrioritised(
        event_time=AT, theme=theme, priority=priority, reason="it costs us", by="managers/maria"
    )
