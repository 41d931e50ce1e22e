"""Given what has happened, when a command comes, then what follows: how specs of domains speak.

given(ACTION, committed()).when(decide, CompleteAction(...)).then(completed())
given(ACTION).when(decide, CompleteAction(...)).refused(NotFound)
"""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from typing import Generic, TypeVar

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from libs.decider import Aggregate
from libs.kernel.refusals import Refusal

S = TypeVar("S")
C = TypeVar("C")

NOW = datetime(2024, 5, 17, 12, 0, tzinfo=UTC)
"""The present instant, unless a spec names another."""


def given(aggregate: Aggregate[S], *events: Message) -> "Given[S]":
    """Say what has happened to one thing of a kind, in order; nothing is a fine answer."""
    return Given(reduce(aggregate.evolve, events, aggregate.initial))


@dataclass(frozen=True, slots=True)
class Given(Generic[S]):
    """A thing as its events have left it."""

    state: S

    def when(
        self,
        decide: Callable[[C, S, datetime], Sequence[Message]],
        command: C,
        *,
        now: datetime = NOW,
    ) -> "Outcome":
        """Say what is wanted of the thing, and at which instant."""
        try:
            return Outcome(tuple(decide(command, self.state, now)), None)
        except Refusal as refusal:
            return Outcome((), refusal)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command led to: events, or a refusal."""

    events: tuple[Message, ...]
    refusal: Refusal | None

    def then(self, *expected: Message) -> None:
        """Require exactly these events, in this order; none of them means: nothing changes."""
        __tracebackhide__ = True
        if self.refusal is not None:
            raise AssertionError("refused: " + _say(self.refusal)) from self.refusal
        if self.events != expected:
            raise AssertionError("other events follow\n" + _difference(expected, self.events))

    def refused(self, kind: type[Refusal], reason: str | None = None, **metadata: str) -> None:
        """Require a refusal of this ``kind``; ``reason`` and the figures named must be so."""
        __tracebackhide__ = True
        if self.refusal is None:
            raise AssertionError("not refused: these events follow\n" + _text(self.events))
        assert type(self.refusal) is kind, _say(self.refusal)
        assert reason in {None, self.refusal.reason}, _say(self.refusal)
        assert metadata.items() <= self.refusal.metadata.items(), _say(self.refusal)


def _say(refusal: Refusal) -> str:
    kind = type(refusal).__name__
    return f"{kind} {refusal.reason}, {refusal.message} {refusal.metadata}"


def _text(events: Sequence[Message]) -> str:
    return "\n".join(
        f"{event.DESCRIPTOR.full_name} {MessageToJson(event, preserving_proto_field_name=True)}"
        for event in events
    )


def _difference(expected: Sequence[Message], actual: Sequence[Message]) -> str:
    lines = difflib.unified_diff(
        _text(expected).splitlines(), _text(actual).splitlines(), "expected", "actual", lineterm=""
    )
    return "\n".join(lines)
