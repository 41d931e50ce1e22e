"""Who said it, in which language, and what people and models make of it by the rules."""

from typing import Any

import pytest
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api
from grpc import StatusCode

from libs.contract.events import CODEC
from libs.decider import Decider
from libs.projection import Fact
from services.feedback.coding.automatic import Automatic
from services.feedback.coding.vader import Vader
from services.feedback.domain.intake import Coder as Identity
from services.feedback.policy.automatic_coding import AutomaticCoding
from tests.contract.chassis.serving import refused
from tests.contract.feedback.desk import Desk, day, names, paged
from tests.contract.feedback.test_intake import item

DEFAULT = "themeRules/default"
BATTERY = {"theme": "battery", "any": ["battery", "accu"]}
RECODED, UNCHANGED = api.RECODE_RESULT_RECODED, api.RECODE_RESULT_UNCHANGED


async def set_rules(desk: Desk, *rules: dict[str, Any], **fields: Any) -> api.ThemeRules:
    request = api.SetThemeRulesRequest(
        name=DEFAULT, rules=[events.ThemeRule(**rule) for rule in rules], **fields
    )
    answer: api.ThemeRules = await desk.stub.SetThemeRules(request)
    return answer


async def recode(desk: Desk, **asked: Any) -> api.RecodeFeedbackResponse:
    await desk.ask("ListFeedback", api.ListFeedbackRequest())  # so that the views have seen it
    request = api.RecodeFeedbackRequest(**asked)
    answer: api.RecodeFeedbackResponse = await desk.stub.RecodeFeedback(request)
    return answer


async def test_feedback_finds_its_author(desk: Desk) -> None:
    """The author shows at once, in lists and at stake; another needs evidence and moves it."""
    desk.worth.cents = {"customers/7": 100, "customers/8": 900}
    said = await desk.record()
    await desk.code(said.name, "battery")
    attribute = api.AttributeFeedbackRequest(
        name=said.name, customer="customers/7", by="mail-matcher"
    )
    found = await desk.at(2).stub.AttributeFeedback(attribute)
    assert (found.customer, found.update_time) == ("customers/7", day(2))
    for customer, evidence, worth in (("7", "", 1), ("8", "his order", 9)):
        attribute.customer, attribute.evidence = f"customers/{customer}", evidence
        await desk.stub.AttributeFeedback(attribute)
        asked = api.ListFeedbackRequest(customer=f"customers/{customer}")
        assert [each.name for each in (await desk.ask("ListFeedback", asked)).feedback] == [
            said.name
        ]
        loops = await desk.ask("ListOpenLoops", api.ListOpenLoopsRequest())
        assert loops.open_loops[0].customer == f"customers/{customer}"
        (theme,) = (await desk.ask("RankThemes", api.RankThemesRequest())).themes
        assert (theme.equity_at_stake.units, theme.customer_count) == (worth, 1)
        only = api.GetFeedbackToActionRequest(customer=f"customers/{customer}")
        assert (await desk.ask("GetFeedbackToAction", only)).received_count == 1
    asked = api.ListFeedbackRequest(customer="customers/7")
    assert not (await desk.ask("ListFeedback", asked)).feedback
    attribute.customer, attribute.evidence = "customers/7", " "
    answer = await refused(desk.stub.AttributeFeedback(attribute))
    assert (answer.code, answer.info.reason) == (StatusCode.FAILED_PRECONDITION, "EVIDENCE_NEEDED")
    attribute.customer = "customers/99"
    answer = await refused(desk.stub.AttributeFeedback(attribute))
    assert (answer.code, answer.info.metadata["field"]) == (StatusCode.NOT_FOUND, "customer")
    trace = await desk.ask("TraceFeedback", api.TraceFeedbackRequest(name=said.name))
    assert "attributed to customers/8 by mail-matcher" in {step.summary for step in trace.steps}
    assert not any("order" in step.summary for step in trace.steps)


async def test_a_language_is_found_out_where_none_is_named(desk: Desk) -> None:
    """What was found shows with its detector; what is named stays; what is not sure stays empty."""
    found = await desk.record(text="laut und heiss")
    assert (found.language_code, found.language_detector.name) == ("de", "polyglot")
    named = await desk.record(text="laut und heiss", language_code="nl")
    assert (named.language_code, named.HasField("language_detector")) == ("nl", False)
    short = await desk.record(text="ok")
    assert (short.language_code, short.HasField("language_detector")) == ("", False)


async def test_an_import_run_again_by_a_newer_detector_changes_nothing(desk: Desk) -> None:
    """Items are known by what was sent; what is wrong with one is told of that one alone."""
    items = [item("1", text="laut und heiss"), item("2", text=""), item("3", text="chaud et cher")]
    first = await desk.stub.ImportFeedback(api.ImportFeedbackRequest(feedback=items))
    assert (first.created_count, [error.index for error in first.errors]) == (2, [1])
    desk.languages.identity = Identity(name="polyglot", version="2")
    desk.languages.words = {"und": "lb"}
    again = await desk.stub.ImportFeedback(api.ImportFeedbackRequest(feedback=items))
    assert (again.created_count, again.unchanged_count, again.error_count) == (0, 2, 1)
    listed = await desk.ask("ListFeedback", api.ListFeedbackRequest())
    assert [each.language_code for each in listed.feedback] == ["de", "fr"]


async def test_rules_are_kept_by_version(desk: Desk) -> None:
    """Before any are set there is version 0; a stale etag aborts; there is one set of rules."""
    get = api.GetThemeRulesRequest(name=DEFAULT)
    assert await desk.stub.GetThemeRules(get) == api.ThemeRules(name=DEFAULT)
    first = await set_rules(desk, BATTERY, by="people/7")
    assert (first.version, first.etag, first.by) == (1, "0", "people/7")
    second = await set_rules(desk, etag="0")
    assert (second.version, len(second.rules)) == (2, 0)
    assert await desk.stub.GetThemeRules(get) == second
    assert (await refused(set_rules(desk, BATTERY, etag="0"))).code is StatusCode.ABORTED
    other = api.GetThemeRulesRequest(name="themeRules/other")
    assert (await refused(desk.stub.GetThemeRules(other))).code is StatusCode.NOT_FOUND
    wrong = await refused(set_rules(desk, {"theme": "Battery", "any": ["!"]}))
    assert wrong.fields.keys() == {"rules[0].theme", "rules[0].any[0]"}


async def test_a_proposal_is_not_stored(desk: Desk) -> None:
    """The model says what it would by the present rules, and how an English text feels."""
    english = await desk.record(text="I love this battery", language_code="en-GB")
    german = await desk.record(text="Der Accu ist toll", language_code="de")
    await set_rules(desk, BATTERY)
    before = await names(desk.store)
    said = await desk.stub.ProposeCoding(api.ProposeCodingRequest(name=english.name))
    assert (list(said.themes), said.rules_version, said.coder.name) == (["battery"], 1, "vader")
    assert said.sentiment > 0.5
    silent = await desk.stub.ProposeCoding(api.ProposeCodingRequest(name=german.name))
    assert (list(silent.themes), silent.HasField("sentiment")) == (["battery"], False)
    assert await names(desk.store) == before


async def test_a_window_is_coded_anew_in_pages(desk: Desk) -> None:
    """Uncoded items and a model's are coded by the rules now, once; a person's stay as they are."""
    items = [await desk.record(receive_time=day(n), language_code="en") for n in range(5)]
    await desk.code(items[1].name, "screen")
    await set_rules(desk, BATTERY)
    await desk.ask("ListFeedback", api.ListFeedbackRequest())
    pages = await paged(desk, "RecodeFeedback", api.RecodeFeedbackRequest(page_size=2), "outcomes")
    assert [len(page) for page in pages] == [2, 2, 1]
    results = {outcome.feedback: outcome.result for page in pages for outcome in page}
    assert results == {each.name: RECODED for each in items} | {
        items[1].name: api.RECODE_RESULT_CODED_BY_PERSON
    }
    again = await recode(desk, start_time=day(3))
    assert [outcome.result for outcome in again.outcomes] == [UNCHANGED] * 2
    assert again.recoded_count == 0
    await set_rules(desk, {"theme": "power", "any": ["battery"]})
    anew = await recode(desk, start_time=day(4))
    assert (anew.recoded_count, anew.rules_version) == (1, 2)
    latest = await desk.stub.GetFeedback(api.GetFeedbackRequest(name=items[4].name))
    assert (list(latest.themes), latest.rules_version) == (["power"], 2)
    assert (await refused(recode(desk, page_size=-1))).fields.keys() == {"page_size"}


async def test_every_coding_stays_in_history(desk: Desk) -> None:
    """The latest first, each with its coder and where it stands in the log; in pages to the end."""
    said = await desk.record(language_code="en")
    await set_rules(desk, BATTERY)
    assert (await recode(desk)).recoded_count == 1
    await desk.code(said.name, "screen", sentiment=-0.5)
    await desk.code(said.name, without_sentiment=True)
    request = api.ListCodingsRequest(parent=said.name, page_size=2)
    pages = await paged(desk, "ListCodings", request, "codings")
    assert [len(page) for page in pages] == [2, 1]
    codings = [coding for page in pages for coding in page]
    assert [list(each.themes) for each in codings] == [[], ["screen"], ["battery"]]
    assert [each.coder.name for each in codings] == ["people/7", "people/7", "vader"]
    assert [each.rules_version for each in codings] == [0, 0, 1]
    assert [each.HasField("sentiment") for each in codings] == [False, True, True]
    log = [event async for batch in desk.store.read_all() for event in batch.events]
    ids = {str(event.id): event.position for event in log}
    assert all(ids[each.event_id] == each.position for each in codings)
    assert (
        await refused(desk.stub.ListCodings(api.ListCodingsRequest(parent="feedback/none")))
    ).code is StatusCode.NOT_FOUND


@pytest.mark.parametrize("ahead", [False, True], ids=["begun", "changed since"])
async def test_the_policy_codes_what_nobody_has(desk: Desk, ahead: bool) -> None:
    """What came is coded once, however often it is reacted to; a person who was first stays."""
    await set_rules(desk, BATTERY)
    one = await desk.record(language_code="en")
    await desk.record(text="hm", language_code="de")
    if ahead:
        await desk.code(one.name, "screen")
    decider = Decider(desk.store, CODEC)
    policy = AutomaticCoding(decider, Automatic(decider, Vader()))
    facts = [
        Fact(event, CODEC.decode(event))
        async for batch in desk.store.read_all()
        for event in batch.events
        if event.type == events.FeedbackReceived.DESCRIPTOR.full_name
    ]
    for _ in range(2):
        await policy.react(facts)
    assert (await names(desk.store)).count("FeedbackCoded") == 1
    latest = await desk.stub.GetFeedback(api.GetFeedbackRequest(name=one.name))
    assert list(latest.themes) == (["screen"] if ahead else ["battery"])
