"""Routing rules: where feedback goes by its themes; each time as a whole."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self

from equiloop.feedback.v1 import routing_events_pb2 as events
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import Field, model_validator

from libs.kernel.refusals import FieldError
from libs.kernel.values import Actor, Command, Etag, FunctionName, Label, timestamp

NAME = "routingRules/default"
"""There is one set of rules."""


class Rule(Command):
    """Feedback about a theme goes to a function."""

    theme: Label
    function: FunctionName


class SetRoutingRules(Command):
    """These rules shall hold, and no others."""

    by: Actor
    rules: Annotated[tuple[Rule, ...], Field(max_length=1000)] = ()
    etag: Etag | None = None

    @property
    def name(self) -> str:
        """The rules' resource name."""
        return NAME

    @model_validator(mode="after")
    def _each_theme_once(self) -> Self:
        seen: set[str] = set()
        for index, rule in enumerate(self.rules):
            if rule.theme in seen:
                msg = f"{rule.theme!r} has a rule already"
                raise FieldError(f"rules[{index}].theme", msg)
            seen.add(rule.theme)
        return self


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules that ever held, the oldest first."""

    versions: tuple[events.RoutingRulesSet, ...] = ()

    def function(self, themes: Collection[str], at: Timestamp) -> tuple[str, str]:
        """Answer (theme, function) of the first rule that fits as of an instant; empty: none.

        What was coded before there were rules goes nowhere, however late somebody looks.
        """
        moment = (at.seconds, at.nanos)
        for version in reversed(self.versions):
            if (version.event_time.seconds, version.event_time.nanos) <= moment:
                for rule in version.rules:
                    if rule.theme in themes:
                        return rule.theme, rule.function
                break
        return "", ""


INITIAL = Rules()


def decide(command: SetRoutingRules, state: Rules, now: datetime) -> Sequence[Message]:
    """Answer what follows from ``command``."""
    wanted = [events.RoutingRule(theme=r.theme, function=r.function) for r in command.rules]
    present = list(state.versions[-1].rules) if state.versions else []
    if wanted == present:
        return []
    return [events.RoutingRulesSet(event_time=timestamp(now), rules=wanted, by=command.by)]


def evolve(state: Rules, event: Message) -> Rules:
    """Answer ``state`` after ``event``."""
    if isinstance(event, events.RoutingRulesSet):
        return Rules((*state.versions, event))
    return state
