"""What every part of the edge answers by: the log, the views, and whom it asks."""

from dataclasses import dataclass
from functools import cached_property

from libs.decider import Aggregate, Decider, Known
from libs.eventstore.port import EventStore
from libs.kernel.values import Clock
from libs.projection.sqlite import SqliteDatabase
from services.feedback.domain import action, feedback
from services.feedback.stakes import Valuer

FEEDBACK = Aggregate("feedback", "feedback", feedback.INITIAL, feedback.evolve)
ACTION = Aggregate("action", "actions", action.INITIAL, action.evolve)


@dataclass(frozen=True)
class Means:
    """Made once, by the composition root; ``clock`` answers the present instant."""

    store: EventStore
    decider: Decider
    views: SqliteDatabase
    valuer: Valuer
    clock: Clock

    @cached_property
    def customers(self) -> Known:
        """Which customers there are."""
        return Known(self.store, "customer")

    @cached_property
    def feedback(self) -> Known:
        """Which feedback there is."""
        return Known(self.store, "feedback")


class Part:
    """A part of the edge: some methods of a service, in a module of their own."""

    def __init__(self, means: Means) -> None:
        """Answer by these ``means``."""
        self.means = means
