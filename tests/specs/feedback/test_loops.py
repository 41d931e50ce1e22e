"""Whatever is asked in whatever order, no loop closes that nothing answered."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from equiloop.feedback.v1 import events_pb2 as events
from google.protobuf.message import Message
from hypothesis import Phase, find, given, settings
from hypothesis.errors import NoSuchExample

from services.feedback.domain.action import Action
from services.feedback.domain.loop import CloseLoop
from services.feedback.domain.promise import (
    ApproveAction,
    CommitAction,
    CompleteAction,
    DeclineAction,
    ReopenAction,
)
from services.feedback.service.means import ACTION
from tests.specs.feedback.orders import (
    ACTIONS,
    AUTHORS,
    MAY,
    AnyCommand,
    Decide,
    Step,
    authority,
    broken,
    close,
    decide,
    history,
    steps,
)


@settings(max_examples=300)
@given(steps)
def test_no_order_of_commands_breaks_the_loop(asked: list[Step]) -> None:
    """Nothing is promised without authority, no link is lost, nobody told of nothing, or twice."""
    assert broken(history(asked)) == ""


@settings(max_examples=100)
@given(steps)
def test_everybody_can_be_told_in_the_end(asked: list[Step]) -> None:
    """Whatever came before, refusing (anew) what was promised and telling closes every loop."""
    last: list[Step] = []
    for name in ACTIONS:
        last += [
            (name, ReopenAction(name=name, reason="once more", by="managers/maria")),
            (name, DeclineAction(name=name, reason="it cannot be done")),
            (name, close(name)),
        ]
    log = history([*asked, *last])
    assert broken(log) == ""
    for name in ACTIONS:
        state = ACTION.initial
        for event in log:
            if event.action == name:  # type: ignore[attr-defined]
                state = ACTION.evolve(state, event)
        assert state.told.keys() == state.feedback.keys()


def tells_of_promises(command: AnyCommand, state: Action, now: datetime) -> Sequence[Message]:
    """Forgets that there must be something to tell."""
    if isinstance(command, CloseLoop) and state.promise:
        state = replace(state, ended=events.ActionCompleted())
    return decide(command, state, now)


def tells_twice(command: AnyCommand, state: Action, now: datetime) -> Sequence[Message]:
    """Forgets who was told."""
    return decide(command, replace(state, told={}), now)


def tells_strangers(command: AnyCommand, state: Action, now: datetime) -> Sequence[Message]:
    """Forgets to look whom the action answers."""
    if isinstance(command, CloseLoop):
        state = replace(state, feedback=dict.fromkeys(AUTHORS, now - timedelta(days=1)))
    return decide(command, state, now)


def hears_no_protest(command: AnyCommand, state: Action, now: datetime) -> Sequence[Message]:
    """Tells those who protested the same again."""
    return decide(command, replace(state, protested=frozenset()), now)


def knows_everybody(command: AnyCommand, state: Action, now: datetime) -> Sequence[Message]:
    """Takes somebody unknown for a customer."""
    if isinstance(command, CloseLoop):
        authors = dict.fromkeys(AUTHORS, "customers/7")
        command = command.model_copy(update={"authors": authors})
    return decide(command, state, now)


def commits_unchecked(command: AnyCommand, state: Action, now: datetime) -> Sequence[Message]:
    """Takes every committer for somebody who may."""
    if isinstance(command, CommitAction):
        command = command.model_copy(update={"authority": authority(MAY)})
    return decide(command, state, now)


def approves_unchecked(command: AnyCommand, state: Action, now: datetime) -> Sequence[Message]:
    """Takes every approver for somebody who may."""
    if isinstance(command, ApproveAction):
        command = command.model_copy(update={"authority": authority(MAY)})
    return decide(command, state, now)


def needs_no_approval(command: AnyCommand, state: Action, now: datetime) -> Sequence[Message]:
    """Has done what nobody committed to."""
    if isinstance(command, CompleteAction) and state.escalated:
        state = replace(state, committed=events.ActionCommitted())
    return decide(command, state, now)


def promises_twice(command: AnyCommand, state: Action, now: datetime) -> Sequence[Message]:
    """Forgets that there was a promise when there comes another."""
    return decide(command, ACTION.initial if isinstance(command, CommitAction) else state, now)


def ends_twice(command: AnyCommand, state: Action, now: datetime) -> Sequence[Message]:
    """Forgets that there was an end."""
    if isinstance(command, CompleteAction | DeclineAction):
        state = replace(state, ended=None)
    return decide(command, state, now)


def forgets_what_was_linked(command: AnyCommand, state: Action, now: datetime) -> Sequence[Message]:
    """Answers only what it was promised for."""
    if isinstance(command, CompleteAction | DeclineAction | ApproveAction) and state.promise:
        state = replace(state, feedback=dict.fromkeys(state.promise.feedback, now))
    return decide(command, state, now)


def reopens_nothing(command: AnyCommand, state: Action, now: datetime) -> Sequence[Message]:
    """Takes back what was done, and leaves those who were told of it alone."""
    if isinstance(command, ReopenAction):
        state = replace(state, told={})
    return decide(command, state, now)


FAULTS: dict[Decide, str] = {
    tells_of_promises: "closed what nothing answered",
    tells_twice: "told twice",
    tells_strangers: "told a stranger",
    hears_no_protest: "told the same again",
    knows_everybody: "told somebody else",
    commits_unchecked: "committed without authority",
    approves_unchecked: "committed without authority",
    needs_no_approval: "done without a promise",
    promises_twice: "promised twice",
    ends_twice: "ended twice",
    forgets_what_was_linked: "lost a link",
    reopens_nothing: "reopened other loops than were closed",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_forgotten_rule_is_found(fault: Decide) -> None:
    """Somebody who decides and forgets one rule is found out, by the name of that rule."""
    searching = settings(max_examples=3000, database=None, phases=[Phase.generate])
    asked = find(
        steps, lambda asked: broken(history(asked, fault)) == FAULTS[fault], settings=searching
    )
    assert broken(history(asked)) == ""


def test_what_is_not_broken_is_not_found() -> None:
    """The search for a fault finds none in those who decide as they should."""
    searching = settings(max_examples=300, database=None, phases=[Phase.generate])
    with pytest.raises(NoSuchExample):
        find(steps, lambda asked: broken(history(asked)) != "", settings=searching)
