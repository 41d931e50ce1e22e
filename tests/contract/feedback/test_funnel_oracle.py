"""The columns against an oracle that looks at one item after the other, in plain Python."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from equiloop.feedback.v1 import events_pb2 as events
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from libs.kernel.values import timestamp
from libs.projection.sqlite import SqliteDatabase
from services.feedback.funnel import History, Question, count, standing
from services.feedback.funnel.standing import Standing
from services.feedback.views.facts import FeedbackFacts
from services.feedback.views.inbox import micros
from tests.contract.log import START, facts

ITEMS, ACTIONS = range(4), range(3)


@dataclass
class World:
    """What is so, as the events of a history are made one by one."""

    log: list[Message] = field(default_factory=list)
    stands: dict[int, str] = field(default_factory=dict)
    links: dict[int, set[int]] = field(default_factory=dict)
    told: dict[tuple[int, int], int] = field(default_factory=dict)

    def step(self, action: int, what: str, item: int) -> None:
        """Let one thing happen at the next minute, if it can."""
        stand, name = self.stands.get(action, ""), f"actions/{action}"
        at, said = _at(len(self.log)), f"feedback/{item}"
        if what == "promise" and not stand:
            self.stands[action], self.links[action] = "committed", {item}
            kind = events.ActionCommitted
            self.log.append(kind(event_time=at, action=name, owner="functions/a", feedback=[said]))
        elif what == "link" and stand and item not in self.links[action]:
            self.links[action].add(item)
            self.log.append(events.ActionLinked(event_time=at, action=name, feedback=[said]))
        elif what in ("complete", "decline") and stand == "committed":
            self.stands[action] = "ended"
            end = events.ActionCompleted if what == "complete" else events.ActionDeclined
            self.log.append(end(event_time=at, action=name))
        elif what == "tell" and stand == "ended" and item in self.links[action]:
            self.told[action, item] = len(self.log)
            self.log.append(
                events.LoopClosed(event_time=at, action=name, feedback=said, told_time=at)
            )
        elif what == "protest" and self.told.pop((action, item), None) is not None:
            self.log.append(
                events.LoopProtested(event_time=at, action=name, feedback=said, respond_time=at)
            )
        elif what == "reopen" and stand == "ended":
            self.stands[action] = "committed"
            opened = sorted(item for one, item in self.told if one == action)
            self.told = {key: value for key, value in self.told.items() if key[0] != action}
            names = [f"feedback/{item}" for item in opened]
            self.log.append(events.ActionReopened(event_time=at, action=name, feedback=names))


def _at(minute: int) -> Timestamp:
    return timestamp(START + timedelta(minutes=minute))


steps = st.lists(
    st.tuples(
        st.sampled_from(ACTIONS),
        st.sampled_from(["promise", "link", "complete", "decline", "tell", "protest", "reopen"]),
        st.sampled_from(ITEMS),
    ),
    max_size=30,
)


def made(asked: Sequence[tuple[int, str, int]]) -> list[Message]:
    """All items are received first; then what was asked happens, as far as it can."""
    world = World(
        [
            events.FeedbackReceived(
                event_time=_at(item), feedback=f"feedback/{item}", receive_time=_at(item)
            )
            for item in ITEMS
        ]
    )
    for action, what, item in asked:
        world.step(action, what, item)
    return world.log


def oracle(log: Sequence[Message], minute: int) -> tuple[int, ...]:
    """linked, committed, completed, declined only, told, opened again; links: as of a minute."""
    links: dict[str, set[str]] = {}
    stands: dict[str, str] = {}
    told: set[tuple[str, str]] = set()
    ever: set[str] = set()
    for event in log[: minute + 1]:
        match event:
            case events.ActionCommitted():
                links[event.action], stands[event.action] = set(event.feedback), "committed"
            case events.ActionLinked():
                links[event.action].update(event.feedback)
            case events.ActionCompleted():
                stands[event.action] = "completed"
            case events.ActionDeclined():
                stands[event.action] = "declined"
            case events.ActionReopened():
                stands[event.action] = "committed"
                told = {pair for pair in told if pair[0] != event.action}
            case events.LoopClosed():
                told.add((event.action, event.feedback))
                ever.add(event.feedback)
            case events.LoopProtested():
                told.discard((event.action, event.feedback))
    items = [f"feedback/{item}" for item in ITEMS if item <= minute]
    how = [{stands[action] for action in links if item in links[action]} for item in items]
    closed = {item for _, item in told}
    return (
        sum(bool(states) for states in how),
        sum(bool(states & {"committed", "completed"}) for states in how),
        sum("completed" in states for states in how),
        sum("declined" in states and "completed" not in states for states in how),
        sum(item in closed for item in items),
        sum(item in ever and item not in closed for item in items),
        sum(len(linked) for linked in links.values()),
    )


def differs(log: Sequence[Message], minute: int, cuts: int) -> bool:
    """Say whether the columns, looked at ``cuts`` times on the way, say other than the oracle."""
    view = FeedbackFacts()
    with TemporaryDirectory() as folder:
        database = SqliteDatabase(Path(folder))
        database.open([view.schema], "test")
        history = History(database.another_reader())
        known = facts(*log)
        for part in np.array_split(np.arange(len(known)), cuts):
            some = [known[index] for index in part]
            if some:
                database.write(1, lambda db, some=some: view.fold(db, some))  # type: ignore[misc]
            count(history, Question(now=0))
        at = micros(_at(minute))
        funnel = count(history, Question(now=at, as_of=at))
        database.close()
    found = (
        funnel.linked,
        funnel.committed,
        funnel.completed,
        funnel.declined,
        funnel.told,
        funnel.reopened,
        funnel.links,
    )
    return found != oracle(log, minute)


cases = st.tuples(steps.map(made), st.integers(0, 40), st.integers(1, 4))


@settings(max_examples=150, deadline=None)
@given(cases)
def test_columns_say_what_the_oracle_says(case: tuple[list[Message], int, int]) -> None:
    """Any history, at any minute of it, folded and looked at in any number of parts."""
    assert not differs(*case)


def _only_grows(history: History, *_: slice) -> None:
    """Make room for items that are new, and look at nothing else."""
    untouched = np.zeros(history.items.size, np.bool_)
    history._present = history._present.renewed(untouched, Standing.of(history.items.size))


@pytest.mark.parametrize("fault", ["deaf to protests", "deaf to what is new"])
def test_a_broken_scan_is_found_out(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle sees columns that miss a reopened loop, and those that are not kept up to date."""
    if fault == "deaf to protests":
        monkeypatch.setattr(standing, "NEVER", -1)
    else:
        monkeypatch.setattr(History, "_renew", _only_grows)
    try:
        find(
            cases, lambda case: differs(*case), settings=settings(max_examples=2000, deadline=None)
        )
    except NoSuchExample:
        pytest.fail("nothing was found")
