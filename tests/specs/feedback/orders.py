"""Any order of commands, on several actions over the same feedback; and what it may not lead to."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import reduce
from itertools import count
from typing import Any

from equiloop.feedback.v1 import events_pb2 as events
from google.protobuf.message import Message
from hypothesis import strategies as st

from libs.kernel.refusals import Refusal
from services.feedback.domain import loop, promise
from services.feedback.domain.action import Action
from services.feedback.domain.loop import CloseLoop, ConfirmLoop, LoopCommand, ProtestLoop
from services.feedback.domain.promise import (
    ApproveAction,
    Authority,
    CommitAction,
    CompleteAction,
    DeclineAction,
    LinkFeedback,
    PromiseCommand,
    ReopenAction,
)
from services.feedback.service.means import ACTION
from tests.specs.feedback.facts import COST, EMAIL, WEB
from tests.specs.given import NOW

AUTHORS = {
    "feedback/a": "customers/7",
    "feedback/b": "customers/7",
    "feedback/c": "customers/8",
    "feedback/d": "",
}
"""Who said what; nobody knows who said d."""

ACTIONS = ("actions/1", "actions/2")
MAY_NOT, MAY = "managers/maria", "managers/otto"
"""Maria has authority over nothing that costs something, Otto over all of it."""

AnyCommand = PromiseCommand | LoopCommand
Decide = Callable[[AnyCommand, Action, datetime], Sequence[Message]]
Step = tuple[str, AnyCommand]

_KINDS = (
    events.ACTION_KIND_PROCESS_CHANGE,
    events.ACTION_KIND_OBSTACLE_REMOVAL,
    events.ACTION_KIND_COMMUNICATION_ONLY,
)
_SOME = (("feedback/a", "feedback/b"), ("feedback/b", "feedback/c", "feedback/d"), ())
_KNOWN = {name: customer or None for name, customer in AUTHORS.items()}


def authority(manager: str) -> Authority:
    """Answer what is found of a manager's authority."""
    return Authority(granted=manager == MAY, escalate_to=None if manager == MAY else MAY)


def _commit(action: str, kind: int, items: Sequence[str], manager: str = "") -> CommitAction:
    return CommitAction(
        action=action,
        kind=kind,
        title="a larger battery",
        owner="functions/research",
        feedback=tuple(items),
        needs=("needs/1",),
        cost=COST if manager else None,
        committed_by=manager or None,
        authority=authority(manager),
    )


def close(action: str, channel: int = WEB, *items: str) -> CloseLoop:
    """Tell those behind some items, or behind all."""
    return CloseLoop(name=action, channel=channel, message="done", feedback=items, authors=_KNOWN)


def _promises(action: str) -> Iterator[PromiseCommand]:
    for kind, items in zip(_KINDS, _SOME, strict=True):
        yield from (_commit(action, kind, items, who) for who in ("", MAY_NOT, MAY))
    for who in (MAY_NOT, MAY, MAY):
        yield ApproveAction(name=action, approved_by=who, authority=authority(who))
    yield from (LinkFeedback(name=action, feedback=(item,)) for item in AUTHORS)
    yield from [CompleteAction(name=action, outcome="done")] * 4
    yield from [DeclineAction(name=action, reason="too heavy")] * 2
    yield from [ReopenAction(name=action, reason="it swells", by="managers/maria")] * 2


def _answers(action: str) -> Iterator[LoopCommand]:
    yield from [close(action), close(action, EMAIL)] * 3
    for item, customer in AUTHORS.items():
        about: dict[str, Any] = {"name": action, "feedback": item, "author": customer or None}
        yield close(action, WEB, item)
        yield close(action, EMAIL, item)
        yield ConfirmLoop(**about)
        yield ProtestLoop(**about, reason="no")


POOL: list[Step] = [
    (action, command) for action in ACTIONS for command in (*_promises(action), *_answers(action))
]
_step = st.sampled_from(POOL)
steps: st.SearchStrategy[list[Step]] = st.one_of(
    st.lists(_step, max_size=10), st.lists(_step, min_size=20, max_size=40)
)


def decide(command: AnyCommand, state: Action, now: datetime) -> Sequence[Message]:
    """Decide as the service does."""
    if isinstance(command, CloseLoop | ConfirmLoop | ProtestLoop):
        return loop.decide(command, state, now)
    return promise.decide(command, state, now)


def history(asked: Sequence[Step], decide: Decide = decide) -> list[Message]:
    """What has happened after all that was asked, an hour each; refusals change nothing."""
    log: list[Message] = []
    states: dict[str, Action] = {}
    for hours, (name, command) in zip(count(), asked, strict=False):
        state = states.get(name, ACTION.initial)
        try:
            follows = decide(command, state, NOW + timedelta(hours=hours))
        except Refusal:
            continue
        states[name] = reduce(ACTION.evolve, follows, state)
        log += follows
    return log


@dataclass
class Told:
    """What a reader of the log knows of one action, who shares no code with those who decide."""

    committed: bool = False
    escalated: bool = False
    ended: bool = False
    linked: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    protested: set[str] = field(default_factory=set)


def broken(log: Sequence[Message]) -> str:
    """Say which rule a history breaks; nothing if none."""
    actions = {name: Told() for name in ACTIONS}
    for event in log:
        fault = _fault(actions[event.action], event)  # type: ignore[attr-defined]
        if fault:
            return fault
    return ""


def _fault(action: Told, event: Message) -> str:
    match event:
        case events.ActionCommitted() | events.ActionEscalated():
            return _promised(action, event)
        case events.ActionLinked():
            if set(event.feedback) & action.linked:
                return "linked twice"
            action.linked |= set(event.feedback)
        case events.ActionCompleted() | events.ActionDeclined():
            return _ended(action, event)
        case events.ActionReopened():
            if not action.ended:
                return "reopened what stood"
            if set(event.feedback) != action.closed:
                return "reopened other loops than were closed"
            if event.awaits_approval == action.committed:
                return "reopened as another than it was"
            action.ended, action.closed, action.protested = False, set(), set()
        case _:
            return _told(action, event)
    return ""


def _promised(action: Told, event: events.ActionCommitted | events.ActionEscalated) -> str:
    again = action.committed or (action.escalated and isinstance(event, events.ActionEscalated))
    if again or action.ended:
        return "promised twice"
    if not action.linked <= set(event.feedback):
        return "lost a link"
    action.linked |= set(event.feedback)
    if isinstance(event, events.ActionEscalated):
        action.escalated = True
        return ""
    action.committed = True
    if event.HasField("cost") and MAY not in {event.committed_by, event.approved_by}:
        return "committed without authority"
    return ""


def _ended(action: Told, event: events.ActionCompleted | events.ActionDeclined) -> str:
    if action.ended:
        return "ended twice"
    if isinstance(event, events.ActionCompleted) and not action.committed:
        return "done without a promise"
    if set(event.feedback) != action.linked:
        return "lost a link"
    action.ended = True
    return ""


def _closed(action: Told, event: events.LoopClosed) -> str:
    faults = {
        "closed what nothing answered": not action.ended,
        "told a stranger": event.feedback not in action.linked,
        "told twice": event.feedback in action.closed,
        "told the same again": event.feedback in action.protested,
        "told somebody else": event.customer != AUTHORS[event.feedback],
        "wrote to nobody": event.channel == EMAIL and not event.customer,
    }
    action.closed.add(event.feedback)
    return next((fault for fault, present in faults.items() if present), "")


def _told(action: Told, event: Message) -> str:
    match event:
        case events.LoopClosed():
            return _closed(action, event)
        case events.LoopConfirmed() if event.feedback not in action.closed:
            return "agreed with nothing"
        case events.LoopProtested():
            if event.feedback not in action.closed:
                return "protested against nothing"
            action.closed.remove(event.feedback)
            action.protested.add(event.feedback)
    return ""
