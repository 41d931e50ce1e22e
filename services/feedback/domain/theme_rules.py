"""The rules by which models propose themes: set by the organisation, version by version."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self

from equiloop.feedback.v1 import events_pb2 as events
from google.protobuf.message import Message
from pydantic import AfterValidator, Field, model_validator

from libs.kernel.refusals import FieldError
from libs.kernel.values import Command, Etag, Label, Language, resource, timestamp
from services.feedback.domain.words import words

DEFAULT = "themeRules/default"
"""The one set of rules."""

_MAX_RULES = 200


def _wordy(phrase: str) -> str:
    if not words(phrase):
        msg = "must have a word"
        raise ValueError(msg)
    return phrase


Phrases = Annotated[
    tuple[Annotated[str, Field(max_length=100), AfterValidator(_wordy)], ...],
    Field(max_length=100),
]


class ThemeRule(Command):
    """How one theme is found in words: some of ``any``, all of ``all``, and none of ``none``."""

    theme: Label
    any: Phrases = ()
    all: Phrases = ()
    none: Phrases = ()
    languages: Annotated[tuple[Language, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _finds_something(self) -> Self:
        if not self.any and not self.all:
            msg = "any or all is needed: a rule finds something"
            raise FieldError("any", msg)
        return self

    def message(self) -> events.ThemeRule:
        """Answer the rule as the contract writes it."""
        return events.ThemeRule(**self.model_dump())


class SetThemeRules(Command):
    """The organisation says by which rules themes are found; what it said before is replaced."""

    name: Annotated[str, resource("themeRules")]
    rules: Annotated[tuple[ThemeRule, ...], Field(max_length=_MAX_RULES)] = ()
    assumed_language_code: Language | None = None
    by: Annotated[str, Field(max_length=100)] = ""
    etag: Etag | None = None

    @model_validator(mode="after")
    def _one_a_theme(self) -> Self:
        seen: set[str] = set()
        for index, rule in enumerate(self.rules):
            if rule.theme in seen:
                msg = f"{rule.theme!r} has a rule already"
                raise FieldError(f"rules[{index}].theme", msg)
            seen.add(rule.theme)
        return self


@dataclass(frozen=True, slots=True)
class ThemeRules:
    """The rules as they now are; ``latest`` is None until some were set."""

    latest: events.ThemeRulesSet | None = None


INITIAL = ThemeRules()


def decide(command: SetThemeRules, state: ThemeRules, now: datetime) -> Sequence[Message]:
    """Answer what follows from ``command``; the same rules again change nothing."""
    ours = [rule.message() for rule in sorted(command.rules, key=lambda rule: rule.theme)]
    assumed = command.assumed_language_code or ""
    latest = state.latest
    if latest and list(latest.rules) == ours and latest.assumed_language_code == assumed:
        return []
    return [
        events.ThemeRulesSet(
            event_time=timestamp(now),
            theme_rules=command.name,
            version=latest.version + 1 if latest else 1,
            rules=ours,
            assumed_language_code=assumed,
            by=command.by,
        )
    ]


def evolve(state: ThemeRules, event: Message) -> ThemeRules:
    """Answer ``state`` after ``event``."""
    return ThemeRules(event) if isinstance(event, events.ThemeRulesSet) else state


_ANY, _ALL, _NONE = "any", "all", "none"


class Matcher:
    """Rules of one version, made ready to be held against many texts."""

    def __init__(self, rules: events.ThemeRulesSet | None) -> None:
        """Take ``rules`` apart into words; None: there are none."""
        self.version = rules.version if rules else 0
        self._assumed = rules.assumed_language_code if rules else ""
        self._rules = {rule.theme: rule for rule in rules.rules} if rules else {}
        # The words after a phrase's first, and what the phrase is to which theme, by that first.
        self._begins: defaultdict[str, list[tuple[list[str], str, str, int]]] = defaultdict(list)
        for rule in self._rules.values():
            for kind, phrases in ((_ANY, rule.any), (_ALL, rule.all), (_NONE, rule.none)):
                for number, phrase in enumerate(phrases):
                    first, *rest = words(phrase)
                    self._begins[first].append((rest, rule.theme, kind, number))

    def language(self, language_code: str) -> str:
        """Answer in which language words are read: the known one, else the one assumed."""
        return language_code or self._assumed

    def themes(self, text: str, language_code: str) -> list[str]:
        """Answer the themes of ``text``, sorted; ``language_code`` is empty while unknown."""
        found: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
        for theme, kind, number in self._found(words(text)):
            found[theme].add((kind, number))
        spoken = self.language(language_code).casefold()
        return sorted(theme for theme, those in found.items() if self._holds(theme, those, spoken))

    def _found(self, said: list[str]) -> Iterator[tuple[str, str, int]]:
        for at, word in enumerate(said):
            for rest, theme, kind, number in self._begins.get(word, ()):
                if said[at + 1 : at + 1 + len(rest)] == rest:
                    yield theme, kind, number

    def _holds(self, theme: str, found: Iterable[tuple[str, int]], spoken: str) -> bool:
        rule, kinds = self._rules[theme], [kind for kind, _ in found]
        return (
            _NONE not in kinds
            and (_ANY in kinds or not rule.any)
            and kinds.count(_ALL) == len(rule.all)
            and (not rule.languages or any(_speaks(spoken, tag) for tag in rule.languages))
        )


def _speaks(spoken: str, tag: str) -> bool:
    """Say whether a language is the one of ``tag`` or a kind of it: `de-at` is `de`."""
    wanted = tag.casefold()
    return spoken == wanted or spoken.startswith(wanted + "-")
