"""What every part of the edge answers by: the log, the views, and whom it asks."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from libs.decider import Aggregate, Decider, Known
from libs.eventstore.port import EventStore
from libs.kernel.refusals import NotFound
from libs.kernel.values import Clock, id_of
from libs.projection.aside import Aside
from libs.projection.sqlite import SqliteDatabase
from services.feedback.authority import Organisation
from services.feedback.coding.automatic import Automatic
from services.feedback.coding.port import Coder, LanguageDetector
from services.feedback.digests import Digests
from services.feedback.domain import (
    action,
    conversation,
    decision,
    feedback,
    need,
    question,
    route,
    rules,
    schedule,
    sla,
    theme,
)
from services.feedback.funnel import History
from services.feedback.stakes import Valuer

FEEDBACK = Aggregate("feedback", "feedback", feedback.INITIAL, feedback.evolve)
ACTION = Aggregate("action", "actions", action.INITIAL, action.evolve)
CONVERSATION = Aggregate("conversation", "conversations", conversation.INITIAL, conversation.evolve)
DECISION = Aggregate("decision", "decisions", decision.INITIAL, decision.evolve)
NEED = Aggregate("need", "needs", need.INITIAL, need.evolve)
QUESTION = Aggregate("question", "questions", question.INITIAL, question.evolve)
ROUTE = Aggregate("route", "feedback", route.INITIAL, route.evolve)
RULES = Aggregate("routingrules", "routingRules", rules.INITIAL, rules.evolve)
SLA = Aggregate("sla", "slas", sla.INITIAL, sla.evolve)
SCHEDULE = Aggregate("digestschedule", "digestSchedules", schedule.INITIAL, schedule.evolve)
THEME = Aggregate("theme", "themes", theme.INITIAL, theme.evolve)


@dataclass(frozen=True)
class Means:
    """Made once, by the composition root.

    ``moved`` returns once the views are beyond a position, ``clock`` answers the present instant.
    """

    store: EventStore
    decider: Decider
    views: SqliteDatabase
    moved: Callable[[int], Awaitable[int]]
    valuer: Valuer
    organisation: Organisation
    clock: Clock
    coder: Coder
    languages: LanguageDetector

    @cached_property
    def automatic(self) -> Automatic:
        """The coder, with the organisation's rules."""
        return Automatic(self.decider, self.coder)

    @cached_property
    def aside(self) -> Aside:
        """The views, for questions that look at many rows."""
        return Aside(self.views.another_reader())

    @cached_property
    def digests(self) -> Digests:
        """Who brings what the market said before functions."""
        return Digests(self.store, self.decider, self.aside, self.moved, self.valuer)

    @cached_property
    def customers(self) -> Known:
        """Which customers there are."""
        return Known(self.store, "customer")

    @cached_property
    def feedback(self) -> Known:
        """Which feedback there is."""
        return Known(self.store, "feedback")

    @cached_property
    def actions(self) -> Known:
        """Which actions there are."""
        return Known(self.store, "action")

    @cached_property
    def offers(self) -> Known:
        """Which offers there are."""
        return Known(self.store, "offer")

    @cached_property
    def functions(self) -> Known:
        """Which functions of the organisation there are."""
        return Known(self.store, "function")

    @cached_property
    def needs(self) -> Known:
        """Which needs there are."""
        return Known(self.store, "need")

    @cached_property
    def history(self) -> History:
        """What happened to feedback, in columns."""
        return History(self.views.another_reader())


async def all_known(known: Known, field: str, names: Iterable[str]) -> None:
    """Refuse ``names``, given in ``field``, unless all are known. Raises NotFound for the first."""
    named = {id_of(name): name for name in names}
    unknown = await known.missing(named)
    if unknown:
        raise NotFound(named[min(unknown)], field)


class Part:
    """A part of the edge: some methods of a service, in a module of their own."""

    def __init__(self, means: Means) -> None:
        """Answer by these ``means``."""
        self.means = means
