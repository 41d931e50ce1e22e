"""Whatever is asked in whatever order, no loop closes that nothing answered."""

from functools import reduce

from equiloop.feedback.v1 import events_pb2 as events
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.decider import Aggregate
from libs.kernel.refusals import Refusal
from services.feedback.domain.action import (
    Action,
    ActionCommand,
    CloseLoop,
    CommitAction,
    CompleteAction,
    DeclineAction,
    decide,
)
from services.feedback.service.means import ACTION
from tests.specs.feedback.facts import EMAIL
from tests.specs.given import NOW

ITEMS = ("feedback/a", "feedback/b", "feedback/c", "feedback/d")
some_items = st.lists(st.sampled_from(ITEMS), max_size=4).map(tuple)

commands = st.one_of(
    st.builds(
        CommitAction,
        action=st.just("actions/1"),
        kind=st.just(events.ACTION_KIND_ANSWER),
        title=st.just("answer"),
        owner=st.just("functions/service"),
        feedback=some_items,
        needs=st.just(("needs/1",)),
    ),
    st.builds(CompleteAction, name=st.just("actions/1"), outcome=st.just("done")),
    st.builds(DeclineAction, name=st.just("actions/1"), reason=st.just("too heavy")),
    st.builds(
        CloseLoop,
        name=st.just("actions/1"),
        channel=st.just(EMAIL),
        message=st.just("done"),
        feedback=some_items,
    ),
)


def history(aggregate: Aggregate[Action], asked: list[ActionCommand]) -> list[Message]:
    """What has happened after all that was asked; refusals change nothing."""
    log: list[Message] = []
    for command in asked:
        state = reduce(aggregate.evolve, log, aggregate.initial)
        try:
            log += decide(command, state, NOW)
        except Refusal:
            continue
    return log


def broken(log: list[Message]) -> str:
    """Say which rule a history breaks; nothing if none."""
    promised, ended, linked, told = False, False, set[str](), list[str]()
    for event in log:
        match event:
            case events.ActionCommitted():
                if promised:
                    return "promised twice"
                promised, linked = True, set(event.feedback)
            case events.ActionCompleted() | events.ActionDeclined():
                if ended:
                    return "ended twice"
                if set(event.feedback) != linked:
                    return "lost a link"
                ended = True
            case events.LoopClosed():
                if not ended:
                    return "closed what nothing answered"
                if event.feedback not in linked:
                    return "told a stranger"
                told.append(event.feedback)
    return "told twice" if len(told) > len(set(told)) else ""


@settings(max_examples=300)
@given(st.lists(commands, max_size=12))
def test_no_order_of_commands_breaks_the_loop(asked: list[ActionCommand]) -> None:
    """An action ends once, keeps its links, and tells each customer it answers at most once."""
    assert not broken(history(ACTION, asked))


@settings(max_examples=100)
@given(some_items.filter(bool), st.lists(commands, max_size=6), st.booleans())
def test_everybody_can_be_told_in_the_end(
    items: tuple[str, ...], between: list[ActionCommand], done: bool
) -> None:
    """Whatever happens in between, completing or declining and then telling closes every loop."""
    promise = CommitAction(
        action="actions/1",
        kind=events.ACTION_KIND_ANSWER,
        title="answer",
        owner="functions/service",
        feedback=items,
    )
    end = (
        CompleteAction(name="actions/1", outcome="done")
        if done
        else DeclineAction(name="actions/1", reason="too heavy")
    )
    tell = CloseLoop(name="actions/1", channel=EMAIL, message="done")
    log = history(ACTION, [promise, *between, end, tell])
    told = [event.feedback for event in log if isinstance(event, events.LoopClosed)]
    assert sorted(told) == sorted(set(items))


def test_a_broken_rule_is_noticed() -> None:
    """A fold that forgets who was told, or that the action ended, is found out."""

    def forgetful(kind: type[Message]) -> Aggregate[Action]:
        def evolve(state: Action, event: Message) -> Action:
            return state if isinstance(event, kind) else ACTION.evolve(state, event)

        return Aggregate("action", "actions", ACTION.initial, evolve)

    promise = CommitAction(
        action="actions/1",
        kind=events.ACTION_KIND_ANSWER,
        title="answer",
        owner="functions/service",
        feedback=ITEMS[:2],
    )
    end = CompleteAction(name="actions/1", outcome="done")
    tell = CloseLoop(name="actions/1", channel=EMAIL, message="done")
    asked: list[ActionCommand] = [promise, end, end, tell, tell]
    assert not broken(history(ACTION, asked))
    assert broken(history(forgetful(events.LoopClosed), asked)) == "told twice"
    assert broken(history(forgetful(events.ActionCompleted), asked)) == "ended twice"
