"""The organisation and the routes of feedback through the gateway, every method, real processes."""

from typing import Any

import grpc
import pytest
from equiloop.customers.v1 import organisation_service_pb2 as organisation
from equiloop.customers.v1.organisation_service_pb2_grpc import OrganisationServiceStub
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import routing_events_pb2 as routing_events
from equiloop.feedback.v1 import routing_service_pb2 as api
from equiloop.feedback.v1 import service_pb2 as feedback
from equiloop.feedback.v1.routing_service_pb2_grpc import RoutingServiceStub
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.money_pb2 import Money

from deploy.local.system import System
from libs.chassis.call import MIN_POSITION, POSITION
from libs.contract.options import methods
from tests.system.services.processes import eventually, unique
from tests.system.support import Stubs, rest, stubs

BY = "people/7"


class Caller:
    """Calls methods of one service through the gateway, and reads its own writes."""

    def __init__(self, stub: Any, service: str) -> None:
        self.stub = stub
        self.left = {method.name for method in methods(service)}
        self.seen = "0"

    def __call__(self, method: str, request: Any) -> Any:
        """Call, having waited for what was written before."""
        self.left.discard(method)
        call = getattr(self.stub, method)
        answer, done = call.with_call(request, metadata=((MIN_POSITION, self.seen),))
        self.seen = str(dict(done.trailing_metadata()).get(POSITION, self.seen))
        return answer


@pytest.fixture
def gateway(system: System) -> Any:
    with stubs(system.settings.gateway) as native:
        yield native


def organisation_of(native: Stubs) -> Caller:
    stub = OrganisationServiceStub(native.channel)
    return Caller(stub, "equiloop.customers.v1.OrganisationService")


def test_the_organisation_is_built_and_asked(system: System, gateway: Stubs) -> None:
    """Each method of OrganisationService answers over gRPC; REST shows the same function."""
    call, key = organisation_of(gateway), unique("f")
    name, ada, bo = f"functions/{key}", f"managers/{key}-ada", f"managers/{key}-bo"
    call("RegisterFunction", organisation.RegisterFunctionRequest(function_id=key))
    led = organisation.Function(name=name, head=ada, journey_fragments=["use"])
    mask = FieldMask(paths=["head", "journey_fragments"])
    call("UpdateFunction", organisation.UpdateFunctionRequest(function=led, update_mask=mask))
    found = call("GetFunction", organisation.GetFunctionRequest(name=name))
    shown = rest(system.settings.gateway, "GET", f"/v1/{name}").json
    assert (found.head, shown["head"], shown["journeyFragments"]) == (ada, ada, ["use"])
    listed = call("ListFunctions", organisation.ListFunctionsRequest(head=ada))
    assert [each.name for each in listed.functions] == [name]
    registry = call("GetFunctionRegistry", organisation.GetFunctionRegistryRequest())
    assert name not in registry.functions_without_head
    call("SetReportingLine", organisation.SetReportingLineRequest(manager=ada, reports_to=bo))
    line = call("GetReportingLine", organisation.GetReportingLineRequest(manager=ada))
    assert list(line.above) == [bo]
    limit = Money(currency_code="EUR", units=100)
    for who in (ada, bo):
        request = organisation.GrantAuthorityRequest(manager=who, limit=limit, functions=[name])
        granted = call("GrantAuthority", request)
    check = organisation.CheckAuthorityRequest(manager=ada, function=name, amount=limit)
    assert call("CheckAuthority", check).granted
    matrix = call("ListAuthorities", organisation.ListAuthoritiesRequest(function=name))
    assert granted.name in [each.name for each in matrix.authorities]
    revoked = call("RevokeAuthority", organisation.RevokeAuthorityRequest(name=granted.name))
    assert revoked.HasField("revoke_time")
    check.amount.units = 101
    answer = call("CheckAuthority", check)
    assert (answer.granted, answer.escalate_to) == (False, "")
    assert not call.left


def test_feedback_finds_its_function_and_misses_its_deadline(gateway: Stubs) -> None:
    """Each method of RoutingService answers; the clock breaches and escalates what stays open."""
    build, key = organisation_of(gateway), unique("f")
    name, head = f"functions/{key}", f"managers/{key}"
    build("RegisterFunction", organisation.RegisterFunctionRequest(function_id=key, head=head))
    call = Caller(RoutingServiceStub(gateway.channel), "equiloop.feedback.v1.RoutingService")
    rule = routing_events.RoutingRule(theme=f"theme-{key}", function=name)
    call("SetRoutingRules", api.SetRoutingRulesRequest(rules=[rule], by=BY))
    assert list(call("GetRoutingRules", api.GetRoutingRulesRequest()).rules) == [rule]
    promise = api.SetLoopSlaRequest(
        sla_id=key, channel=events.CHANNEL_STORE, close_within=Duration(seconds=1), by=BY
    )
    call("SetLoopSla", promise)
    listed = call("ListLoopSlas", api.ListLoopSlasRequest(page_size=1000))
    assert f"slas/{key}" in [each.name for each in listed.slas]
    said = gateway.feedback.RecordFeedback(
        feedback.RecordFeedbackRequest(channel=events.CHANNEL_STORE, text="It squeaks")
    ).name
    other = gateway.feedback.RecordFeedback(
        feedback.RecordFeedbackRequest(channel=events.CHANNEL_PHONE, text="So does mine")
    ).name
    coding = feedback.CodeFeedbackRequest(
        name=other, themes=[f"theme-{key}"], coder=events.Coder(name=BY)
    )
    gateway.feedback.CodeFeedback(coding)
    call("RouteFeedback", api.RouteFeedbackRequest(name=said, function=name, by=BY))
    call("AcceptRoute", api.AcceptRouteRequest(name=said, function=name, by=BY))

    def way(of: str) -> api.Route:
        answer: api.Route = call("GetRoute", api.GetRouteRequest(name=of))
        return answer

    eventually(lambda: way(other).function == name)
    back = api.ReturnRouteRequest(name=other, function=name, by=BY, reason="not ours")
    call("ReturnRoute", back)
    eventually(lambda: way(said).escalations)
    (breach,), (step,) = way(said).breaches, way(said).escalations
    assert (breach.sla, step.to, step.level) == (f"slas/{key}", head, 1)

    def inbox() -> list[tuple[str, int]]:
        held = call("ListInbox", api.ListInboxRequest(function=name, breached=True))
        return [(item.feedback, item.level) for item in held.items]

    eventually(lambda: inbox() == [(said, 1)])
    person = call("GetTimeToRightPerson", api.GetTimeToRightPersonRequest(function=name))
    assert (person.received_count, person.accepted_count, person.first_hop_share) == (1, 1, 1.0)
    report = call("GetLoopSlaReport", api.GetLoopSlaReportRequest(function=name))
    assert [(each.breached_count, each.total_count) for each in report.stages] == [(0, 0), (1, 1)]
    withdrawn = call("WithdrawLoopSla", api.WithdrawLoopSlaRequest(name=f"slas/{key}", by=BY))
    assert withdrawn.withdrawn
    call("SetRoutingRules", api.SetRoutingRulesRequest(by=BY))
    assert not call.left


def test_what_is_wrong_is_named_over_rest(system: System) -> None:
    """A promise without a time and a route to nowhere come back as what they are."""
    address = system.settings.gateway
    wrong = rest(address, "POST", "/v1/slas", {"slaId": "x", "by": BY})
    assert (wrong.status, "close_within" in wrong.text) == (400, True)
    lost = rest(
        address, "POST", "/v1/feedback/none:route", {"function": "functions/none", "by": BY}
    )
    assert lost.status == 404
    assert grpc.StatusCode.NOT_FOUND.value[0] == lost.json["code"]
