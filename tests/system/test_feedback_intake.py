"""Intake through the gateway: every call of it, on real processes, coding switched on."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from equiloop.customers.v1 import service_pb2 as customers
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api
from google.protobuf.timestamp_pb2 import Timestamp

from deploy.local.settings import on_free_ports
from deploy.local.system import System
from tests.system.support import Stubs, rest, stubs

SAID = "I love this phone but the battery dies long before noon"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of its own, for it codes what comes in."""
    directory = tmp_path_factory.mktemp("intake")
    places = {"data": directory / "data", "logs": directory / "log"}
    with System(on_free_ports(store="", coding="on", **places)) as running:
        yield running


@pytest.fixture(scope="module")
def calls(system: System) -> Iterator[Stubs]:
    """Stubs on the gateway; a customer and the rules are there."""
    with stubs(system.gateway) as made:
        made.customers.RegisterCustomer(customers.RegisterCustomerRequest(customer_id="ada"))
        rules = [events.ThemeRule(theme="battery", any=["battery", "batterie"])]
        made.feedback.SetThemeRules(
            api.SetThemeRulesRequest(name="themeRules/default", rules=rules, by="people/7")
        )
        yield made


def ask(calls: Stubs, method: Callable[..., Any], request: Any, call: Any) -> Any:
    position = dict(call.trailing_metadata())["equiloop-position"]
    return method(request, metadata=(("equiloop-min-position", position),), timeout=10)


def imported(count: int, source: str, text: str = SAID) -> api.ImportFeedbackRequest:
    return api.ImportFeedbackRequest(
        feedback=[
            api.RecordFeedbackRequest(
                channel=events.CHANNEL_REVIEW,
                text=f"{text} {number}",
                score=events.Score(scale=events.SCORE_SCALE_NPS, value=number % 11),
                receive_time=Timestamp(seconds=1_700_000_000 + number),
                source=source,
                source_id=str(number),
            )
            for number in range(count)
        ]
    )


def test_what_comes_in_is_coded_and_its_language_known(calls: Stubs) -> None:
    """An import is coded by the model after a while, by the rules set; a re-run adds nothing."""
    batch = imported(50, "shop")
    answer, call = calls.feedback.ImportFeedback.with_call(batch)
    assert answer.created_count == 50
    again = calls.feedback.ImportFeedback(batch)
    assert (again.created_count, again.unchanged_count) == (0, 50)
    index = api.GetThemeIndexRequest(coder="vader")
    until = time.monotonic() + 30
    while ask(calls, calls.feedback.GetThemeIndex, index, call).coded_count < 50:
        assert time.monotonic() < until, "not coded within 30 s"
        time.sleep(0.05)
    (theme,) = calls.feedback.GetThemeIndex(index).themes
    assert (theme.theme, theme.feedback_count, theme.sentiment_count) == ("battery", 50, 50)
    listed = calls.feedback.ListFeedback(api.ListFeedbackRequest(theme="battery", page_size=3))
    assert [each.language_code for each in listed.feedback] == ["en"] * 3
    assert listed.feedback[0].language_detector.name == "py3langid"
    assert listed.feedback[0].coder.name == "vader"


def test_one_item_from_word_to_cause(calls: Stubs, system: System) -> None:
    """Recorded of nobody, proposed, attributed, classified, coded by a person: all is told."""
    feedback = calls.feedback
    said = feedback.RecordFeedback(
        api.RecordFeedbackRequest(
            channel=events.CHANNEL_EMAIL, text="La batterie est vide tous les jours avant midi"
        )
    )
    assert said.language_code == "fr"
    proposal = feedback.ProposeCoding(api.ProposeCodingRequest(name=said.name))
    assert (list(proposal.themes), proposal.HasField("sentiment")) == (["battery"], False)
    attribute = api.AttributeFeedbackRequest(name=said.name, customer="customers/ada", by="mail")
    assert feedback.AttributeFeedback(attribute).customer == "customers/ada"
    classify = api.ClassifyCauseRequest(
        name=said.name, cause=events.CAUSE_SYSTEM, by="people/7", evidence="batch 12"
    )
    assert feedback.ClassifyCause(classify).cause == events.CAUSE_SYSTEM
    _, call = feedback.CodeFeedback.with_call(
        api.CodeFeedbackRequest(
            name=said.name, themes=["power"], sentiment=-1, coder=events.Coder(name="people/7")
        )
    )
    codings = feedback.ListCodings(api.ListCodingsRequest(parent=said.name)).codings
    assert codings[0].coder.name == "people/7"
    pareto = ask(calls, feedback.GetCausePareto, api.GetCauseParetoRequest(theme="power"), call)
    assert [each.cause for each in pareto.causes] == [events.CAUSE_SYSTEM]
    recoded = feedback.RecodeFeedback(api.RecodeFeedbackRequest(page_size=1000))
    results = {outcome.feedback: outcome.result for outcome in recoded.outcomes}
    assert results[said.name] == api.RECODE_RESULT_CODED_BY_PERSON
    shown = rest(system.gateway, "GET", f"/v1/{said.name}/codings").json["codings"]
    assert shown[0]["themes"] == ["power"]


def test_duplicates_and_scores(calls: Stubs) -> None:
    """What is said in the same words stands together; answers are summed up with their error."""
    batch = imported(22, "survey", "nobody at the hotline answered my question about invoice")
    _, call = calls.feedback.ImportFeedback.with_call(batch)
    names = ask(calls, calls.feedback.ListFeedback, api.ListFeedbackRequest(page_size=1000), call)
    one = next(each.name for each in names.feedback if each.source == "survey")
    group = calls.feedback.ListDuplicates(api.ListDuplicatesRequest(parent=one))
    assert (group.total_size, len(group.duplicates)) == (22, 22)
    groups = calls.feedback.ListDuplicateGroups(api.ListDuplicateGroupsRequest(page_size=1000))
    assert 22 in [each.feedback_count for each in groups.groups]
    scores = calls.feedback.GetScores(api.GetScoresRequest(channel=events.CHANNEL_REVIEW))
    assert scores.nps.count == 72
    assert scores.nps.HasField("standard_error")


@pytest.mark.usefixtures("calls")
def test_rules_by_rest(system: System) -> None:
    """Rules are read and set as JSON; the same again change nothing; wrong ones are named."""
    path = "/v1/themeRules/default"
    before = rest(system.gateway, "GET", path).json
    assert (before["version"], before["rules"][0]["theme"]) == ("1", "battery")
    same = {"rules": before["rules"]}
    assert rest(system.gateway, "POST", f"{path}:set", same).json["version"] == "1"
    wrong = rest(system.gateway, "POST", f"{path}:set", {"rules": [{"theme": "Oh"}]})
    assert (wrong.status, "rules[0].theme" in wrong.text) == (400, True)
