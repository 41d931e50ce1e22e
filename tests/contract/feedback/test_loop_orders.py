"""Whatever is asked in whatever order, views say of each loop what the log says of it."""

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from libs.projection import Fact, View
from services.feedback.funnel import History, Question, fires
from services.feedback.ranking import rank
from services.feedback.stakes import Valuation
from services.feedback.views import actions, loops
from services.feedback.views.actions import Actions
from services.feedback.views.facts import ALWAYS, FeedbackFacts
from services.feedback.views.inbox import FeedbackInbox
from services.feedback.views.loops import OpenLoops
from tests.contract.log import facts, folded
from tests.specs.feedback.facts import coded, received
from tests.specs.feedback.orders import ACTIONS, AUTHORS, Step, history, steps

THEMES = {
    "feedback/a": ("battery", "price"),
    "feedback/b": ("battery",),
    "feedback/c": ("battery", "price"),
    "feedback/d": ("price",),
}
CENTS = {"customers/7": 150_000, "customers/8": 2_500}
WORDS_ONLY = events.ACTION_KIND_COMMUNICATION_ONLY


def log_of(asked: Sequence[Step]) -> list[Message]:
    """What customers said, what it was about, and then all that was asked."""
    said = [received(name[-1], customer=who) for name, who in AUTHORS.items()]
    about = [coded(name[-1], *themes, customer=AUTHORS[name]) for name, themes in THEMES.items()]
    return [*said, *about, *history(asked)]


def holding(log: Sequence[Message]) -> dict[str, set[str]]:
    """Say which actions hold each loop closed: told, and since then no protest nor reopening."""
    answer: dict[str, set[str]] = {name: set() for name in AUTHORS}
    for name in AUTHORS:
        for action in ACTIONS:
            places = [
                isinstance(event, events.LoopClosed)
                for event in log
                if getattr(event, "action", "") == action and _settles(event, name)
            ]
            if places and places[-1]:
                answer[name].add(action)
    return answer


def _settles(event: Message, name: str) -> bool:
    match event:
        case events.LoopClosed() | events.LoopProtested():
            return event.feedback == name
        case events.ActionReopened():
            return True  # whatever it closed
    return False


def state_of(log: Sequence[Message], action: str) -> int:
    """Say how an action stands, by its events alone; 0: there is none."""
    state, before = 0, 0
    for event in log:
        if getattr(event, "action", "") != action:
            continue
        match event:
            case events.ActionEscalated():
                state = before = api.ACTION_STATE_ESCALATED
            case events.ActionCommitted():
                state = before = api.ACTION_STATE_COMMITTED
            case events.ActionCompleted():
                state = api.ACTION_STATE_COMPLETED
            case events.ActionDeclined():
                state = api.ACTION_STATE_DECLINED
            case events.ActionReopened():
                state = before
    return state


class Worth:
    """Says what everybody is worth."""

    async def valuation(
        self,
        customers: Collection[str],
        as_of: Timestamp,  # noqa: ARG002 - always the same
    ) -> Valuation:
        return Valuation("EUR", {name: CENTS[name] for name in customers})


def wrong(log: Sequence[Message], view: OpenLoops, batch: int = 1000) -> str:
    """Say what views get wrong of a history; nothing if all is right."""
    views: list[View[Any]] = [FeedbackInbox(), view, Actions(), FeedbackFacts()]
    with (
        tempfile.TemporaryDirectory() as folder,
        folded(Path(folder), views, facts(*log), batch) as database,
    ):
        history = History(database.another_reader())
        with database.read() as db:
            return _loops(db, log) or _actions(db, log) or _fires(history, log)


def _loops(db: apsw.Connection, log: Sequence[Message]) -> str:
    is_open = {name for name, actions in holding(log).items() if not actions}
    if set(db.execute("SELECT feedback FROM loop WHERE closed IS NULL")) != {
        (name,) for name in is_open
    }:
        return "open loops"
    heads: defaultdict[str, set[str]] = defaultdict(set)
    items: defaultdict[str, int] = defaultdict(int)
    for name in is_open:
        for theme in THEMES[name]:
            items[theme] += 1
            heads[theme] |= {AUTHORS[name]} - {""}
    ranked = asyncio.run(rank(loops.stakes(db), Worth(), Timestamp()))
    found = {stake.name: (stake.equity, stake.heads, stake.items) for stake in ranked}
    if found != {
        theme: (sum(CENTS[who] for who in heads[theme]), len(heads[theme]), items[theme])
        for theme in items
    }:
        return "equity at stake"
    return ""


def _actions(db: apsw.Connection, log: Sequence[Message]) -> str:
    for action in ACTIONS:
        row = db.execute("SELECT state FROM action WHERE name = ?", (action,)).get
        if (row or 0) != state_of(log, action):
            return "states"
    linked = {
        (event.action, name)
        for event in log
        if isinstance(event, events.ActionCommitted | events.ActionEscalated | events.ActionLinked)
        for name in event.feedback
    }
    if set(db.execute("SELECT action, feedback FROM link")) != linked:
        return "links"
    found = {(name, who) for name, who, _ in actions.stakes(db, actions.Chosen()) if who}
    if found != {(name, AUTHORS[said]) for name, said in linked if AUTHORS[said]}:
        return "customers behind an action"
    return ""


def _fires(history: History, log: Sequence[Message]) -> str:
    kinds = {
        event.action: event.kind
        for event in log
        if isinstance(event, events.ActionCommitted | events.ActionEscalated)
    }
    closed = {name: held for name, held in holding(log).items() if held}
    words = {
        name for name, held in closed.items() if {kinds[each] for each in held} == {WORDS_ONLY}
    }
    found = fires(history, Question(now=ALWAYS))
    expected = sorted({(theme, AUTHORS[name]) for name in words for theme in THEMES[name]})
    if (found.closed_count, found.words_only_count) != (len(closed), len(words)):
        return "fires"
    return "" if [(theme, who) for theme, who, _ in found.stakes] == expected else "who is unheard"


@settings(max_examples=80)
@given(steps, st.sampled_from([1, 3, 1000]))
def test_views_say_what_the_log_says(asked: list[Step], batch: int) -> None:
    """Open loops, equity at stake, states, links and hidden fires are those of the definitions."""
    assert wrong(log_of(asked), OpenLoops(), batch) == ""


class Deaf(OpenLoops):
    """Hears no protest."""

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        super().fold(db, [f for f in facts if not isinstance(f.event, events.LoopProtested)])


class Stubborn(OpenLoops):
    """Takes nothing back."""

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        super().fold(db, [f for f in facts if not isinstance(f.event, events.ActionReopened)])


class Forgetful(OpenLoops):
    """Forgets what was linked later."""

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        super().fold(db, [f for f in facts if not isinstance(f.event, events.ActionLinked)])


@pytest.mark.parametrize(
    ("fault", "where"), [(Deaf, "open loops"), (Stubborn, "open loops"), (Forgetful, "links")]
)
def test_a_view_that_overlooks_something_is_found(fault: type[OpenLoops], where: str) -> None:
    """Without protests, reopenings or later links a view differs from the definitions."""
    searching = settings(max_examples=1000, database=None, phases=[Phase.generate])
    find(steps, lambda asked: wrong(log_of(asked), fault()) == where, settings=searching)
