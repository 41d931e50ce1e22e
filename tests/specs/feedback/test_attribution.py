"""Who said it, in which language, and what lies behind it: found out after it was received."""

from typing import Any

import pytest
from equiloop.feedback.v1 import events_pb2 as events
from pydantic import ValidationError

from libs.kernel.refusals import AlreadyExists, NotFound, Refusal
from libs.kernel.values import timestamp
from services.feedback.domain.feedback import decide
from services.feedback.domain.intake import (
    AttributeFeedback,
    ClassifyCause,
    CodeFeedback,
    Coder,
    Detected,
    RecordFeedback,
)
from services.feedback.service.means import FEEDBACK
from tests.specs.feedback.facts import WEB, coded, received
from tests.specs.given import NOW, given


def attribute(customer: str, evidence: str = "") -> AttributeFeedback:
    return AttributeFeedback(name="feedback/1", customer=customer, by="people/7", evidence=evidence)


def attributed(customer: str, before: str = "", evidence: str = "") -> events.FeedbackAttributed:
    return events.FeedbackAttributed(
        event_time=timestamp(NOW),
        feedback="feedback/1",
        customer=customer,
        previous_customer=before,
        by="people/7",
        evidence=evidence,
    )


def test_feedback_finds_its_author() -> None:
    """Words of nobody known are matched to a customer; evidence is welcome, not needed."""
    command = attribute("customers/7")
    given(FEEDBACK, received()).when(decide, command).then(attributed("customers/7"))


def test_another_author_is_a_correction() -> None:
    """Once there is an author, said or found, another needs evidence and names the one before."""
    for log in ([received(customer="customers/7")], [received(), attributed("customers/7")]):
        before = given(FEEDBACK, *log)
        for blank in ("", "  "):
            outcome = before.when(decide, attribute("customers/8", blank))
            outcome.refused(Refusal, "EVIDENCE_NEEDED", customer="customers/7")
        command = attribute("customers/8", "his order")
        before.when(decide, command).then(attributed("customers/8", "customers/7", "his order"))


def test_the_same_author_again_changes_nothing() -> None:
    """Who is known to have said it is not attributed anew."""
    log = (received(customer="customers/7"), attributed("customers/8", "customers/7", "order"))
    given(FEEDBACK, *log).when(decide, attribute("customers/8")).then()
    back = attribute("customers/7", "his letter")
    expected = attributed("customers/7", "customers/8", "his letter")
    given(FEEDBACK, *log).when(decide, back).then(expected)


def test_a_coding_knows_the_latest_author() -> None:
    """Who codes after an attribution codes the words of the author found."""
    command = CodeFeedback(name="feedback/1", themes=("battery",), coder=Coder(name="people/7"))
    expected = coded("1", "battery", customer="customers/7")
    log = (received(), attributed("customers/7"))
    given(FEEDBACK, *log).when(decide, command).then(expected)


def classify(cause: events.Cause.ValueType, evidence: str = "log of 17 May") -> ClassifyCause:
    return ClassifyCause(name="feedback/1", cause=cause, by="people/7", evidence=evidence)


def test_a_cause_is_found_with_evidence() -> None:
    """What lies behind feedback is said with evidence and by whom; it may be found out anew."""
    found = events.CauseClassified(
        event_time=timestamp(NOW),
        feedback="feedback/1",
        cause=events.CAUSE_SYSTEM,
        by="people/7",
        evidence="log of 17 May",
    )
    given(FEEDBACK, received()).when(decide, classify(events.CAUSE_SYSTEM)).then(found)
    given(FEEDBACK, received(), found).when(decide, classify(events.CAUSE_SYSTEM)).then(found)
    given(FEEDBACK).when(decide, classify(events.CAUSE_SYSTEM)).refused(NotFound)
    with pytest.raises(ValidationError, match="evidence"):
        classify(events.CAUSE_SYSTEM, " ")


def said(language_code: str | None = None, found: str = "", version: str = "1") -> RecordFeedback:
    detector = Coder(name="polyglot", version=version)
    return RecordFeedback(
        feedback="feedback/1",
        channel=WEB,
        text="zu laut",
        language_code=language_code,
        detected=Detected(language_code=found, detector=detector) if found else None,
        source="shop",
        source_id="1",
    )


def heard(language_code: str = "", **detector: str) -> events.FeedbackReceived:
    event = received(text="zu laut", source="shop", source_id="1")
    event.language_code = language_code
    if detector:
        event.language_detector.CopyFrom(events.Coder(**detector))
    return event


POLYGLOT: dict[str, Any] = {"name": "polyglot", "version": "1"}


def test_a_language_found_out_is_kept_with_its_detector() -> None:
    """What was detected is told from what was said; what was said needs no detector."""
    given(FEEDBACK).when(decide, said(found="de")).then(heard("de", **POLYGLOT))
    given(FEEDBACK).when(decide, said("nl", found="de")).then(heard("nl"))
    given(FEEDBACK).when(decide, said()).then(heard())


@pytest.mark.parametrize(
    "before", [heard("de", **POLYGLOT), heard()], ids=["detected", "undecided"]
)
def test_a_newer_detector_makes_no_other_content(before: events.FeedbackReceived) -> None:
    """The same words sent again are the same item, whatever a detector now finds in them."""
    given(FEEDBACK, before).when(decide, said(found="lb", version="2")).then()
    given(FEEDBACK, before).when(decide, said()).then()


def test_a_language_that_is_sent_later_is_other_content() -> None:
    """The sender who names a language now says more than before, even if it was guessed right."""
    outcome = given(FEEDBACK, heard("de", **POLYGLOT)).when(decide, said("de"))
    outcome.refused(AlreadyExists, "SOURCE_ID_REUSED")
    outcome = given(FEEDBACK, heard("de")).when(decide, said(found="de"))
    outcome.refused(AlreadyExists, "SOURCE_ID_REUSED")
