"""Themes found by rules: whole words, whatever their case, in any script."""

import doctest
from collections.abc import Iterable
from typing import Any

import pytest
from equiloop.feedback.v1 import events_pb2 as events
from hypothesis import given as for_all
from hypothesis import strategies as st
from pydantic import ValidationError

from libs.contract.parse import violations
from libs.kernel.values import timestamp
from services.feedback.coding.automatic import THEME_RULES
from services.feedback.domain import words as module
from services.feedback.domain.theme_rules import Matcher, SetThemeRules, decide
from services.feedback.domain.words import words
from tests.specs.given import NOW, given


def rule(theme: str = "battery", **fields: Any) -> dict[str, Any]:
    return {"theme": theme, **({"any": ["battery"]} | fields)}


def rules(*each: dict[str, Any], assumed: str | None = None) -> SetThemeRules:
    return SetThemeRules.model_validate(
        {"name": "themeRules/default", "rules": each, "assumed_language_code": assumed}
    )


def were_set(version: int, *themes: str, assumed: str = "") -> events.ThemeRulesSet:
    return events.ThemeRulesSet(
        event_time=timestamp(NOW),
        theme_rules="themeRules/default",
        version=version,
        rules=[events.ThemeRule(theme=theme, any=["battery"]) for theme in themes],
        assumed_language_code=assumed,
    )


def test_rules_are_counted_by_version() -> None:
    """The first rules are version 1; others replace them as version 2; the same change nothing."""
    first = were_set(1, "battery", "power")
    given(THEME_RULES).when(decide, rules(rule("power"), rule())).then(first)
    before = given(THEME_RULES, first)
    before.when(decide, rules(rule(), rule("power"))).then()
    before.when(decide, rules(rule())).then(were_set(2, "battery"))
    before.when(decide, rules()).then(were_set(2))
    again = rules(rule(), rule("power"), assumed="de")
    before.when(decide, again).then(were_set(2, "battery", "power", assumed="de"))


def themes(text: str, *each: dict[str, Any], language: str = "", assumed: str = "") -> list[str]:
    messages = [made.message() for made in rules(*each).rules]
    latest = events.ThemeRulesSet(version=1, rules=messages, assumed_language_code=assumed)
    return Matcher(latest).themes(text, language)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The BATTERY dies", True),
        ("my battery-life", True),
        ("two batteries", False),
        ("a flat\nbattery!", True),
        ("the charger", False),
        ("", False),
    ],
)
def test_whole_words_are_found(text: str, found: bool) -> None:
    """Case, punctuation and line breaks are nothing; a part of a word is not the word."""
    assert themes(text, rule()) == ["battery"] * found


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("Die STRASSE ist laut", "straße"),
        ("ÇA NE MARCHE PAS", "ça ne marche pas"),
        ("I don\N{RIGHT SINGLE QUOTATION MARK}t like it", "don't like"),
        ("Cafe\N{COMBINING ACUTE ACCENT} zu", "café"),
        ("バッテリーがすぐ切れる", "バッテリー"),
        ("电池不好", "电池"),
        ("แบตเตอรี่หมดเร็ว", "แบตเตอรี่"),
        ("मेरी बैटरी खराब है", "बैटरी"),
        ("батарея СЕЛА", "батарея села"),
        ("ﬁne", "fine"),
    ],
)
def test_words_of_any_script_are_found(text: str, phrase: str) -> None:
    """Letters that are one to a reader are one here; scripts without spaces match within."""
    assert themes(text, rule(any=[phrase])) == ["battery"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("the battery is fine", False),
        ("the battery of my phone", True),
        ("the battery of my phone is great, great", False),
        ("phone", False),
    ],
)
def test_some_all_and_none(text: str, found: bool) -> None:
    """One phrase of any, each of all, and none of none must be there."""
    strict = rule(any=["battery", "accu"], all=["my phone", "of"], none=["great", "is fine"])
    assert themes(text, strict) == ["battery"] * found


def test_all_alone_suffices() -> None:
    """A rule without any needs all, even those that say the same."""
    assert themes("too loud, too hot", rule(any=[], all=["too hot", "too", "TOO"])) == ["battery"]
    assert themes("too loud", rule(any=[], all=["too hot", "too"])) == []


@pytest.mark.parametrize(
    ("language", "assumed", "found"),
    [("de", "", True), ("de-AT", "", True), ("den", "", False), ("", "", False), ("", "de", True)],
)
def test_a_rule_may_be_for_some_languages(language: str, assumed: str, found: bool) -> None:
    """It holds for a language and its kinds, and for words of none only if that one is assumed."""
    german = rule(any=["gift"], languages=["fr", "DE"])
    assert themes("das Gift", german, language=language, assumed=assumed) == ["battery"] * found


def test_themes_are_sorted_and_once_each() -> None:
    """Themes stand by name, however often their words occur."""
    found = themes("battery screen battery", rule(), rule("a-screen", any=["screen", "battery"]))
    assert found == ["a-screen", "battery"]


@for_all(st.text(), st.text(min_size=1, max_size=30).filter(words), st.text())
def test_a_phrase_is_found_wherever_it_stands(before: str, phrase: str, after: str) -> None:
    """Whatever stands around it, apart by a space."""
    assert themes(f"{before} {phrase} {after}", rule(any=[phrase])) == ["battery"]


def wrong(*each: dict[str, Any]) -> set[str]:
    with pytest.raises(ValidationError) as caught:
        rules(*each)
    return {violation.field for violation in violations(caught.value)}


@pytest.mark.parametrize(
    ("each", "fields"),
    [
        ([rule(), rule("price"), rule()], {"rules[2].theme"}),
        ([rule(any=[])], {"rules[0].any"}),
        ([rule(any=["ok", "..."])], {"rules[0].any[1]"}),
        ([rule(none=["x" * 101])], {"rules[0].none[0]"}),
        ([rule("Battery", languages=["?"])], {"rules[0].theme", "rules[0].languages[0]"}),
        ([rule(all=["x"] * 101)], {"rules[0].all"}),
        ([rule(f"t{n}") for n in range(201)], {"rules"}),
    ],
    ids=["twice", "empty", "wordless", "long", "names", "many phrases", "many rules"],
)
def test_rules_that_cannot_be(each: Iterable[dict[str, Any]], fields: set[str]) -> None:
    """Each field that cannot be as it is is named, to the phrase."""
    assert wrong(*each) == fields


def test_the_examples_are_right() -> None:
    """What the documentation of words shows is what it does."""
    assert doctest.testmod(module) == doctest.TestResults(failed=0, attempted=2)
