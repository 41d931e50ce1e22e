"""A model codes what nobody has coded, and anew what models did; never over a person."""

from collections.abc import Sequence

import pytest
from equiloop.feedback.v1 import events_pb2 as events
from google.protobuf.message import Message

from libs.kernel.refusals import NotFound
from services.feedback.domain.feedback import decide
from services.feedback.domain.intake import CodeByModel, Coder
from services.feedback.service.means import FEEDBACK
from tests.specs.feedback.facts import coded, received
from tests.specs.given import given


def say(
    *themes: str, sentiment: float | None = 0.5, version: str = "1", rules: int = 1, anew: bool
) -> CodeByModel:
    return CodeByModel(
        name="feedback/1",
        coder=Coder(name="vader", version=version),
        themes=themes,
        sentiment=sentiment or 0.0,
        without_sentiment=sentiment is None,
        rules_version=rules,
        anew=anew,
    )


def modelled(
    *themes: str, sentiment: float | None = 0.5, version: str = "1", rules: int = 1
) -> events.FeedbackCoded:
    event = coded("1", *themes, sentiment=sentiment or 0.0)
    event.without_sentiment = sentiment is None
    event.coder.CopyFrom(events.Coder(name="vader", version=version))
    event.rules_version = rules
    return event


@pytest.mark.parametrize("anew", [False, True])
def test_what_nobody_coded_is_coded(anew: bool) -> None:
    """The coding carries the model, its version and that of the rules."""
    command = say("battery", anew=anew)
    given(FEEDBACK, received()).when(decide, command).then(modelled("battery"))
    given(FEEDBACK).when(decide, command).refused(NotFound)


@pytest.mark.parametrize(
    ("before", "anew", "follows"),
    [
        (coded("1", "price"), False, False),
        (coded("1", "price"), True, False),
        (modelled("price"), False, False),
        (modelled("price"), True, False),
        (modelled("price", version="0"), False, False),
        (modelled("price", version="0"), True, True),
        (modelled("price", rules=7), True, True),
    ],
    ids=["person", "person, anew", "same", "same, anew", "older", "older, anew", "rules, anew"],
)
def test_what_was_coded_is_coded_anew_by_another_model_or_rules(
    before: Message, anew: bool, follows: bool
) -> None:
    """Only where it is asked for, only over a model, and only if model or rules are others."""
    outcome = given(FEEDBACK, received(), before).when(decide, say("battery", anew=anew))
    outcome.then(*[modelled("battery")] * follows)


@pytest.mark.parametrize(
    ("log", "follows"),
    [([], False), ([modelled("price", rules=0)], True)],
    ids=["uncoded", "coded"],
)
def test_a_model_with_nothing_to_say_is_silent(log: Sequence[Message], follows: bool) -> None:
    """Nothing said is no coding, unless it takes back what a model said before."""
    command = say(sentiment=None, anew=True)
    outcome = given(FEEDBACK, received(), *log).when(decide, command)
    outcome.then(*[modelled(sentiment=None)] * follows)
