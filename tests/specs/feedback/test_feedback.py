"""Feedback: received once, coded as often as somebody sees more in it."""

from datetime import timedelta
from typing import Any

import pytest
from equiloop.feedback.v1 import events_pb2 as events
from pydantic import ValidationError

from libs.contract.parse import violations
from libs.kernel.refusals import AlreadyExists, NotFound
from services.feedback.domain.feedback import decide
from services.feedback.domain.intake import (
    CodeFeedback,
    Coder,
    ImportFeedback,
    RecordFeedback,
    Score,
)
from services.feedback.service.means import FEEDBACK
from tests.specs.feedback.facts import WEB, coded, received
from tests.specs.given import NOW, given

LATER = NOW + timedelta(days=3)
YESTERDAY = NOW - timedelta(days=1)


def record(**fields: Any) -> RecordFeedback:
    usual = {"feedback": "feedback/1", "channel": WEB, "text": "the battery dies"}
    return RecordFeedback.model_validate(usual | fields)


def imported(**fields: Any) -> ImportFeedback:
    usual = {
        "feedback": "feedback/1",
        "channel": WEB,
        "text": "the battery dies",
        "receive_time": YESTERDAY,
        "source": "reviews",
        "source_id": "17",
    }
    return ImportFeedback.model_validate(usual | fields)


def code(*themes: str, sentiment: float = 0.0) -> CodeFeedback:
    return CodeFeedback(
        name="feedback/1", themes=themes, sentiment=sentiment, coder=Coder(name="people/7")
    )


IMPORTED = received(said=YESTERDAY, source="reviews", source_id="17")


def test_what_is_said_is_received() -> None:
    """Words from nobody known, without a time of their own, are received now."""
    given(FEEDBACK).when(decide, record()).then(received())


def test_all_that_was_said_is_kept() -> None:
    """Author, channel, score, language, source and the time it was said all reach the event."""
    command = record(
        customer="customers/7",
        language_code="en-GB",
        score=Score(scale=events.SCORE_SCALE_NPS, value=0),
        receive_time=YESTERDAY,
        source="shop",
        source_id="9",
    )
    expected = received(
        customer="customers/7",
        said=YESTERDAY,
        score=events.Score(scale=events.SCORE_SCALE_NPS, value=0),
        source="shop",
        source_id="9",
    )
    expected.language_code = "en-GB"
    given(FEEDBACK).when(decide, command).then(expected)


def test_the_same_item_again_changes_nothing() -> None:
    """A source that says the same thing again, even days later, adds nothing."""
    given(FEEDBACK, IMPORTED).when(decide, imported(), now=LATER).then()
    given(FEEDBACK, IMPORTED, coded("1", "battery")).when(decide, imported(), now=LATER).then()


@pytest.mark.parametrize(
    "other",
    [
        {"text": "the screen breaks"},
        {"channel": events.CHANNEL_PHONE},
        {"customer": "customers/7"},
        {"receive_time": NOW},
        {"score": Score(scale=events.SCORE_SCALE_CES, value=1)},
        {"language_code": "de"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_the_same_source_id_with_other_content_is_refused(other: dict[str, Any]) -> None:
    """A source may not say something else under an id that it has used."""
    outcome = given(FEEDBACK, IMPORTED).when(decide, imported(**other))
    outcome.refused(AlreadyExists, "SOURCE_ID_REUSED", feedback="feedback/1")


def test_feedback_is_coded() -> None:
    """A coding has its themes sorted and once each, and knows the author."""
    before = received(customer="customers/7")
    expected = coded("1", "battery", "price", customer="customers/7", sentiment=-0.5)
    command = code("price", "battery", "price", sentiment=-0.5)
    given(FEEDBACK, before).when(decide, command).then(expected)


def test_a_later_coding_stands_beside_the_earlier() -> None:
    """Feedback may be coded again, with the same content too: somebody looked again."""
    before = (received(), coded("1", "battery"))
    given(FEEDBACK, *before).when(decide, code("screen")).then(coded("1", "screen"))
    given(FEEDBACK, *before).when(decide, code("battery")).then(coded("1", "battery"))
    given(FEEDBACK, *before).when(decide, code()).then(coded("1"))


def test_feedback_that_nobody_received_cannot_be_coded() -> None:
    """There must be words before somebody can say what they are about."""
    given(FEEDBACK).when(decide, code("battery")).refused(NotFound, resource="feedback/1")


def wrong_fields(model: Any, values: dict[str, Any]) -> set[str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(values)
    return {violation.field for violation in violations(caught.value)}


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"text": ""}, {"text"}),
        ({"text": " \n"}, {"text"}),
        ({"text": "x" * 10_001}, {"text"}),
        ({"channel": 0}, {"channel"}),
        ({"channel": 99, "customer": "people/7"}, {"channel", "customer"}),
        ({"language_code": "english!"}, {"language_code"}),
        ({"score": {"scale": events.SCORE_SCALE_NPS, "value": 11}}, {"score.value"}),
        ({"score": {"scale": events.SCORE_SCALE_NPS, "value": -1}}, {"score.value"}),
        ({"score": {"scale": events.SCORE_SCALE_CSAT, "value": 0}}, {"score.value"}),
        ({"score": {"scale": events.SCORE_SCALE_CES, "value": 8}}, {"score.value"}),
        ({"score": {"scale": 9, "value": 3}}, {"score.scale"}),
        ({"source": "reviews"}, {"source_id"}),
        ({"source_id": "17"}, {"source"}),
        ({"source": "", "source_id": "17"}, {"source"}),
    ],
)
def test_what_cannot_be_recorded(fields: dict[str, Any], wrong: set[str]) -> None:
    """Each field that cannot be as it is is named, with others that are wrong."""
    usual = {"feedback": "feedback/1", "channel": WEB, "text": "the battery dies"}
    assert wrong_fields(RecordFeedback, usual | fields) == wrong


def test_a_score_needs_no_words() -> None:
    """A score alone is feedback, and zero is a score."""
    score = Score(scale=events.SCORE_SCALE_NPS)
    expected = received(text="", score=events.Score(scale=events.SCORE_SCALE_NPS))
    given(FEEDBACK).when(decide, record(text="", score=score)).then(expected)


def test_an_import_needs_to_know_its_items_again() -> None:
    """An item of an import must have a source, its id there, and a time of its own."""
    fields = {"feedback": "feedback/1", "channel": WEB, "text": "the battery dies"}
    assert wrong_fields(ImportFeedback, fields) == {"source", "source_id", "receive_time"}


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"themes": ["Battery"]}, {"themes[0]"}),
        ({"themes": [f"t{i}" for i in range(21)]}, {"themes"}),
        ({"sentiment": 1.01}, {"sentiment"}),
        ({"sentiment": float("nan")}, {"sentiment"}),
        ({"coder": {"name": ""}}, {"coder.name"}),
        ({"name": "feedback/", "coder": None}, {"name", "coder"}),
    ],
)
def test_what_cannot_be_coded(fields: dict[str, Any], wrong: set[str]) -> None:
    """Themes are few and plain, a sentiment is between -1 and 1, a coder has a name."""
    usual = {"name": "feedback/1", "coder": {"name": "people/7"}}
    assert wrong_fields(CodeFeedback, usual | fields) == wrong
