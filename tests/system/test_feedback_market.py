"""Market, conversations and community through the gateway, every method, real processes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from equiloop.customers.v1 import organisation_service_pb2 as organisation
from equiloop.customers.v1 import service_pb2 as customers
from equiloop.customers.v1.organisation_service_pb2_grpc import OrganisationServiceStub
from equiloop.feedback.v1 import community_service_pb2 as community
from equiloop.feedback.v1 import conversation_events_pb2 as turns
from equiloop.feedback.v1 import conversation_service_pb2 as talk
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import market_events_pb2 as market_events
from equiloop.feedback.v1 import market_service_pb2 as market
from equiloop.feedback.v1 import service_pb2 as feedback
from equiloop.feedback.v1.community_service_pb2_grpc import CommunityServiceStub
from equiloop.feedback.v1.conversation_service_pb2_grpc import ConversationServiceStub
from equiloop.feedback.v1.market_service_pb2_grpc import MarketServiceStub
from google.protobuf.duration_pb2 import Duration

from deploy.local.system import System
from libs.kernel.values import timestamp
from tests.system.services.processes import eventually, unique
from tests.system.support import Stubs, rest, stubs
from tests.system.test_feedback_routing import Caller

BY, HOUR = "people/7", timedelta(hours=1)
NOW = datetime.now(UTC)


@pytest.fixture
def gateway(system: System) -> Iterator[Stubs]:
    with stubs(system.settings.gateway) as native:
        yield native


@pytest.fixture
def customer(gateway: Stubs) -> str:
    """A customer whom nobody knew before."""
    request = customers.RegisterCustomerRequest(customer_id=unique("c"))
    return gateway.customers.RegisterCustomer(request).name


@pytest.fixture
def function(gateway: Stubs) -> str:
    """A function, led by a manager of its own."""
    key = unique("f")
    stub = OrganisationServiceStub(gateway.channel)
    request = organisation.RegisterFunctionRequest(function_id=key, head=f"managers/{key}")
    return stub.RegisterFunction(request).name


def say(gateway: Stubs, customer: str, theme: str = "") -> str:
    """Feedback of the customer's about a theme."""
    request = feedback.RecordFeedbackRequest(
        customer=customer, channel=events.CHANNEL_EMAIL, text="It squeaks"
    )
    name = gateway.feedback.RecordFeedback(request).name
    if theme:
        coding = feedback.CodeFeedbackRequest(
            name=name, themes=[theme], coder=events.Coder(name=BY), sentiment=-0.5
        )
        gateway.feedback.CodeFeedback(coding)
    return name


def market_of(gateway: Stubs) -> Caller:
    return Caller(MarketServiceStub(gateway.channel), "equiloop.feedback.v1.MarketService")


def test_what_the_market_wants_is_heard_and_changes_a_decision(
    system: System, gateway: Stubs, customer: str, function: str
) -> None:
    """Each method of MarketService answers; the clock delivers what is due and tells the head."""
    call, theme = market_of(gateway), unique("theme")
    first, second = say(gateway, customer, theme), say(gateway, customer, theme)
    need = call("IdentifyNeed", market.IdentifyNeedRequest(title="oil", feedback=[first], by=BY))
    more = market.AddNeedEvidenceRequest(name=need.name, feedback=[second], by=BY)
    assert len(call("AddNeedEvidence", more).feedback) == 2
    call("RejectNeed", market.RejectNeedRequest(name=need.name, reason="two only", by=BY))
    valid = market.ValidateNeedRequest(
        name=need.name,
        method=market_events.VALIDATION_METHOD_SURVEY,
        evidence="41 % of 900",
        by=BY,
    )
    call("ValidateNeed", valid)
    found = call("GetNeed", market.GetNeedRequest(name=need.name))
    assert found.state == market.NEED_STATE_VALIDATED
    listed = call("ListNeeds", market.ListNeedsRequest(page_size=1000))
    (mine,) = [each for each in listed.needs if each.need.name == need.name]
    assert (mine.customer_count, mine.open_feedback_count) == (1, 2)
    priority = market.PrioritiseThemeRequest(theme=theme, priority=1, reason="loud", by=BY)
    assert call("PrioritiseTheme", priority).priority == 1
    themes = call("ListThemePriorities", market.ListThemePrioritiesRequest(page_size=1000)).themes
    assert [each.decision.priority for each in themes if each.theme == theme] == [1]
    now = datetime.now(UTC)
    ask = market.DeliverDigestRequest(
        function=function,
        start_time=timestamp(now - HOUR),
        acknowledge_by=timestamp(now + timedelta(seconds=4)),
        only_themes=[theme],
    )
    digest = call("DeliverDigest", ask)
    (heard,) = digest.delivered.themes
    assert (heard.received_count, heard.open_count, heard.mean_sentiment) == (2, 2, -0.5)
    get = market.GetDigestRequest(name=digest.name)
    eventually(lambda: call("GetDigest", get).escalations)
    (step,) = call("GetDigest", get).escalations
    assert (step.level, step.to) == (1, function.replace("functions", "managers"))
    read = call("AcknowledgeDigest", market.AcknowledgeDigestRequest(name=digest.name, by=BY))
    assert (read.state, read.in_time) == (market.DIGEST_STATE_ACKNOWLEDGED, False)
    assert read.delivered == digest.delivered
    plan = market.SetDigestScheduleRequest(
        function=function,
        every=Duration(seconds=3600),
        acknowledge_within=Duration(seconds=3600),
        start_time=timestamp(now - 1.5 * HOUR),
    )
    schedule = call("SetDigestSchedule", plan)
    digests = market.ListDigestsRequest(function=function)
    eventually(lambda: len(call("ListDigests", digests).digests) == 2)
    assert [each.delivered.scheduled for each in call("ListDigests", digests).digests] == [
        False,
        True,
    ]
    end = market.WithdrawDigestScheduleRequest(name=schedule.name, reason="enough")
    call("WithdrawDigestSchedule", end)
    seen = call("GetDigestSchedule", market.GetDigestScheduleRequest(name=schedule.name))
    assert seen.withdrawn
    voice = call("GetMarketVoice", market.GetMarketVoiceRequest())
    (ours,) = [each for each in voice.functions if each.function == function]
    assert (ours.delivered_count, ours.acknowledged_count, ours.escalated_count) == (2, 1, 1)
    influence = market.RecordDecisionInfluenceRequest(
        title="the hinge",
        leader="managers/maria",
        function=function,
        before="paint it",
        after="oil it",
        feedback=[first],
        needs=[need.name],
    )
    decision = call("RecordDecisionInfluence", influence)
    assert call("GetDecision", market.GetDecisionRequest(name=decision.name)) == decision
    behind = call("ListDecisions", market.ListDecisionsRequest(feedback=first))
    assert list(behind.decisions) == [decision]
    listening = call("GetLeaderListening", market.GetLeaderListeningRequest())
    (ours_too,) = [each for each in listening.functions if each.function == function]
    assert (ours_too.decision_count, ours_too.feedback_count, ours_too.need_count) == (1, 1, 1)
    assert not call.left
    over_rest = rest(system.settings.gateway, "GET", f"/v1/{digest.name}").json
    assert over_rest["delivered"]["themes"][0]["theme"] == theme
    wrong = rest(system.settings.gateway, "POST", f"/v1/themes/{theme}:prioritise", {"by": BY})
    assert (wrong.status, "priority" in wrong.text) == (400, True)


def test_customers_and_we_converse(
    system: System, gateway: Stubs, customer: str, function: str
) -> None:
    """Each method of ConversationService answers; REST shows the same turns."""
    service = "equiloop.feedback.v1.ConversationService"
    call, source = Caller(ConversationServiceStub(gateway.channel), service), unique("mail")
    words: dict[str, Any] = {"channel": events.CHANNEL_EMAIL, "text": "where is it?"}
    first = call("ReceiveMessage", talk.ReceiveMessageRequest(customer=customer, **words))
    here = first.name.partition("/turns/")[0]
    call("SendMessage", talk.SendMessageRequest(conversation=here, function=function, **words))
    ask = talk.RequestInformationRequest(
        conversation=here, function=function, asked_by=turns.SIDE_ORGANISATION, **words
    )
    asked = call("RequestInformation", ask)
    call("GiveInformation", talk.GiveInformationRequest(request=asked.name, **words))
    item = talk.MessageItem(
        said_by=turns.SIDE_CUSTOMER,
        customer=customer,
        say_time=timestamp(NOW - HOUR),
        source=source,
        source_id="1",
        **words,
    )
    batch = talk.ImportMessagesRequest(messages=[item])
    assert call("ImportMessages", batch).created_count == 1
    again = ConversationServiceStub(gateway.channel).ImportMessagesStream(iter([batch]))
    assert (again.created_count, again.unchanged_count) == (0, 1)
    call.left.discard("ImportMessagesStream")
    got = call("GetConversation", talk.GetConversationRequest(name=here))
    assert (got.received_count, got.sent_count, list(got.open_requests)) == (2, 2, [])
    listed = call("ListConversations", talk.ListConversationsRequest(customer=customer))
    assert len(listed.conversations) == 2
    shown = call("ListTurns", talk.ListTurnsRequest(parent=here))
    assert [each.name for each in shown.turns] == [f"{here}/turns/{n}" for n in range(1, 5)]
    over_rest = rest(system.settings.gateway, "GET", f"/v1/{here}/turns?pageSize=2").json
    assert [each["said"]["text"] for each in over_rest["turns"]] == ["where is it?"] * 2
    ratio = call("GetTwoWayRatio", talk.GetTwoWayRatioRequest())
    assert (ratio.received_count >= 3, ratio.sent_count >= 2) == (True, True)
    times = call("GetResponseTimes", talk.GetResponseTimesRequest(function=function))
    assert (times.overall.received_count, times.overall.answered_count) == (1, 0)
    assert not call.left
    path = f"/v1/{asked.name}:giveInformation"
    late = rest(system.settings.gateway, "POST", path, {"channel": 2, "text": "again"})
    assert (late.status, "GIVEN_BEFORE" in late.text) == (400, True)


def test_members_help_each_other(system: System, gateway: Stubs, customer: str) -> None:
    """Each method of CommunityService answers; an open need is listed until it is closed."""
    service = "equiloop.feedback.v1.CommunityService"
    call = Caller(CommunityServiceStub(gateway.channel), service)
    asked = call("AskCommunity", community.AskCommunityRequest(asker=customer, text="How?"))
    share = community.ShareQuestionRequest(name=asked.name, member="employees/eva")
    assert call("ShareQuestion", share).head_count == 2

    def still_open() -> list[str]:
        found = call("ListOpenNeeds", community.ListOpenNeedsRequest(page_size=1000))
        return [each.question for each in found.open_needs]

    assert asked.name in still_open()
    reply = community.AnswerNeedRequest(name=asked.name, member="employees/eva", text="So")
    answer = call("AnswerNeed", reply).answers[0]
    accept = community.AcceptAnswerRequest(name=asked.name, answer=answer.name, member=customer)
    assert call("AcceptAnswer", accept).closed
    assert asked.name not in still_open()
    got = call("GetQuestion", community.GetQuestionRequest(name=asked.name))
    over_rest = rest(system.settings.gateway, "GET", f"/v1/{asked.name}").json
    assert (got.answers[0].accepted, over_rest["answers"][0]["accepted"]) == (True, True)
    assert not call.left
