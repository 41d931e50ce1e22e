"""What becomes of a promise, through the gateway: real services, asked for authority, too."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import grpc
import pytest
from equiloop.customers.v1 import organisation_service_pb2 as organisation
from equiloop.customers.v1 import service_pb2 as customers
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api
from google.protobuf.message import Message

from deploy.local.system import System
from libs.kernel.money import to_message
from tests.system.support import Stubs, code_of, failure, rest, stubs

COST = to_message(500_000, "EUR")


@dataclass
class Scene:
    """A function, two managers, of whom Otto alone may commit to the cost, and what two said."""

    gateway: str
    stubs: Stubs
    key: str = field(default_factory=lambda: f"k{uuid4().hex[:8]}")
    owner: str = ""
    said: list[str] = field(default_factory=list)
    position: int = 0

    def send(self, method: Any, request: Message) -> Any:
        """Send a command, and remember how far it took the log."""
        answer, call = method.with_call(request, timeout=10)
        reached = [int(v) for k, v in call.trailing_metadata() if k == "equiloop-position"]
        self.position = max(self.position, *reached)
        return answer

    def get(self, path: str) -> Any:
        """Ask over REST what views say that have seen all that was sent."""
        headers = {"equiloop-min-position": str(self.position)}
        answer = rest(self.gateway, "GET", path, headers=headers)
        assert answer.status == 200, answer.text
        return answer.json

    def post(self, path: str, **body: Any) -> Any:
        """Send a command over REST."""
        answer = rest(self.gateway, "POST", path, body)
        assert answer.status == 200, answer.text
        self.position = max(self.position, int(answer.headers["equiloop-position"]))
        return answer.json

    def prepare(self) -> None:
        """Make all of that."""
        company = self.stubs.organisation
        function = organisation.RegisterFunctionRequest(function_id=self.key)
        self.owner = self.send(company.RegisterFunction, function).name
        line = organisation.SetReportingLineRequest(
            manager=f"managers/maria-{self.key}", reports_to=f"managers/otto-{self.key}"
        )
        self.send(company.SetReportingLine, line)
        for who, cents in (("maria", 100_000), ("otto", 900_000)):
            grant = organisation.GrantAuthorityRequest(
                manager=f"managers/{who}-{self.key}", limit=to_message(cents, "EUR")
            )
            self.send(company.GrantAuthority, grant)
        for number in range(2):
            register = customers.RegisterCustomerRequest(customer_id=f"{self.key}-{number}")
            customer = self.send(self.stubs.customers.RegisterCustomer, register).name
            said = api.RecordFeedbackRequest(
                customer=customer, channel=events.CHANNEL_WEB, text="the form asks for too much"
            )
            name = self.send(self.stubs.feedback.RecordFeedback, said).name
            coder = events.Coder(name="people/7")
            code = api.CodeFeedbackRequest(name=name, themes=[self.key], coder=coder)
            self.send(self.stubs.feedback.CodeFeedback, code)
            self.said.append(name)

    def commit(self, kind: events.ActionKind.ValueType, **more: Any) -> api.Action:
        """Promise something for the first of the two."""
        request = api.CommitActionRequest(
            kind=kind, title="a shorter form", owner=self.owner, feedback=self.said[:1], **more
        )
        answer: api.Action = self.send(self.stubs.feedback.CommitAction, request)
        return answer


@pytest.fixture(scope="module")
def scene(system: System) -> Iterator[Scene]:
    with stubs(system.gateway) as opened:
        made = Scene(system.gateway, opened)
        made.prepare()
        yield made


def test_a_promise_goes_its_whole_way(scene: Scene) -> None:
    """Escalated, approved, widened, done, told, agreed with, protested, reopened: over REST."""
    maria, otto = (f"managers/{who}-{scene.key}" for who in ("maria", "otto"))
    asked = scene.commit(events.ACTION_KIND_OBSTACLE_REMOVAL, cost=COST, committed_by=maria)
    assert (asked.state, asked.escalated_to) == (api.ACTION_STATE_ESCALATED, otto)
    name = asked.name
    (obstacle,) = scene.get(f"/v1/obstacles?owner={scene.owner}")["obstacles"]
    assert (obstacle["action"]["name"], obstacle["blocked"]["customerCount"]) == (name, "1")
    over = api.ApproveActionRequest(name=name, approved_by=maria)
    refused = failure(lambda: scene.stubs.feedback.ApproveAction(over, timeout=10))
    assert code_of(refused) is grpc.StatusCode.FAILED_PRECONDITION
    approved = scene.post(f"/v1/{name}:approve", approvedBy=otto)
    assert approved["state"] == "ACTION_STATE_COMMITTED"
    linked = scene.post(f"/v1/{name}:linkFeedback", feedback=scene.said)
    assert linked["feedback"] == sorted(scene.said)
    scene.post(f"/v1/{name}:complete", outcome="the form has three fields")
    assert scene.get(f"/v1/obstacles?owner={scene.owner}")["obstacles"] == []
    told = scene.post(f"/v1/{name}:closeLoop", channel="CHANNEL_EMAIL", message="three fields")
    assert told["toldCount"] == 2
    one, two = scene.said
    assert scene.post(f"/v1/{name}:confirmLoop", feedback=one, words="fine")["confirmedCount"] == 1
    protested = scene.post(f"/v1/{name}:protestLoop", feedback=two, reason="still too much")
    assert (protested["toldCount"], protested["protestedCount"]) == (1, 1)
    reopened = scene.post(f"/v1/{name}:reopen", reason="two of them are not needed", by=otto)
    assert (reopened["state"], reopened["toldCount"]) == ("ACTION_STATE_COMMITTED", 0)
    (obstacle,) = scene.get(f"/v1/obstacles?owner={scene.owner}")["obstacles"]
    assert obstacle["blocked"]["customerCount"] == "2"
    open_loops = scene.get(f"/v1/openLoops?theme={scene.key}")["openLoops"]
    assert [loop["feedback"] for loop in open_loops] == scene.said


def test_the_registers_are_read(scene: Scene) -> None:
    """Actions of an owner by state and due day; what changed; and what words alone put out."""
    words = scene.commit(events.ACTION_KIND_COMMUNICATION_ONLY)
    scene.post(f"/v1/{words.name}:complete", outcome="we wrote to them")
    scene.post(f"/v1/{words.name}:closeLoop", channel="CHANNEL_EMAIL", message="we are sorry")
    fires = scene.get("/v1/hiddenFires?pageSize=1000")
    (fire,) = [each for each in fires["themes"] if each["theme"] == scene.key]
    assert (fire["closedCount"], fire["wordsOnlyCount"], fire["share"]) == ("1", "1", 1)
    change = scene.commit(
        events.ACTION_KIND_PROCESS_CHANGE, due_date={"year": 2024, "month": 1, "day": 1}
    )
    (shown,) = scene.get(f"/v1/processChanges?owner={scene.owner}")["processChanges"]
    assert (shown["action"]["name"], shown["behind"]["customerCount"]) == (change.name, "1")
    late = "state=ACTION_STATE_COMMITTED&dueBefore.year=2024&dueBefore.month=1&dueBefore.day=2"
    (action,) = scene.get(f"/v1/actions?owner={scene.owner}&{late}")["actions"]
    assert action["name"] == change.name
