"""How urgent people decide a theme to be, beside what equity and heads say of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from equiloop.feedback.v1 import market_events_pb2 as events
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import Field

from libs.kernel.values import Actor, Command, Etag, Label, Words, timestamp

MOST_URGENT, LEAST_URGENT = 1, 100


class PrioritiseTheme(Command):
    """People decide how urgent a theme is."""

    theme: Label
    priority: Annotated[int, Field(ge=MOST_URGENT, le=LEAST_URGENT)]
    reason: Annotated[Words, Field(max_length=2000)]
    by: Actor
    etag: Etag | None = None

    @property
    def name(self) -> str:
        """The theme's resource name."""
        return f"themes/{self.theme}"


@dataclass(frozen=True, slots=True)
class Theme:
    """What was decided last; None: nothing yet."""

    decided: events.ThemePrioritised | None = None
    since: Timestamp | None = None


INITIAL = Theme()


def decide(command: PrioritiseTheme, _: Theme, now: datetime) -> Sequence[Message]:
    """Answer what follows from ``command``: a decision made again is a decision, too."""
    return [
        events.ThemePrioritised(
            event_time=timestamp(now),
            theme=command.theme,
            priority=command.priority,
            reason=command.reason,
            by=command.by,
        )
    ]


def evolve(state: Theme, event: Message) -> Theme:
    """Answer ``state`` after ``event``."""
    match event:
        case events.ThemePrioritised():
            return Theme(event, state.since or event.event_time)
    return state
