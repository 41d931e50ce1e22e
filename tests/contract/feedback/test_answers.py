"""What a promise costs, who may make it, and what customers say to what became of it."""

from typing import Any
from uuid import uuid4

import grpc
import pytest
from equiloop.customers.v1 import organisation_service_pb2 as organisation_api
from equiloop.customers.v1 import organisation_service_pb2_grpc as organisation_grpc
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api
from google.type.money_pb2 import Money as Amount
from grpc import StatusCode

from libs.chassis.call import CURRENT, TRACEPARENT, Call
from libs.eventstore.port import Expected, NewEvent
from libs.kernel.money import Money
from libs.kernel.refusals import NotFound
from services.feedback.authority import OrganisationClient
from services.feedback.domain.promise import Authority
from tests.contract.chassis.serving import refused
from tests.contract.feedback.desk import Desk, day, names

COST = Amount(currency_code="EUR", units=5000)
LIMIT = Amount(currency_code="EUR", units=1000)
FIRST = "8a2c4a3e-8d0f-4d0c-9a5e-6a5d5f1f0a01"
COSTLY: dict[str, Any] = {"cost": COST, "committed_by": "managers/maria"}


@pytest.fixture
async def limits(desk: Desk) -> Desk:
    """Maria may commit to 1,000 €, Otto to 9,000 €."""
    desk.limits.cents = {"managers/maria": 100_000, "managers/otto": 900_000}
    return desk


async def test_what_is_over_the_limit_waits_for_approval(limits: Desk) -> None:
    """It is answered as escalated, with limit and addressee; approved, it is a promise."""
    one = (await limits.record("7")).name
    asked = await limits.at(1).commit(one, **COSTLY)
    assert (asked.state, asked.escalated_to) == (api.ACTION_STATE_ESCALATED, "managers/otto")
    assert (asked.cost, asked.limit, asked.committed_by) == (COST, LIMIT, "managers/maria")
    assert (asked.HasField("commit_time"), asked.create_time) == (False, day(1))
    early = await refused(limits.complete(asked.name))
    assert (early.code, early.info.reason) == (StatusCode.FAILED_PRECONDITION, "NOT_COMMITTED")
    over = await refused(limits.approve(asked.name, "managers/maria"))
    assert (over.info.reason, dict(over.info.metadata)["escalate_to"]) == (
        "OVER_AUTHORITY",
        "managers/otto",
    )
    approved = await limits.at(2).approve(asked.name, etag="0")
    assert (approved.state, approved.approved_by) == (api.ACTION_STATE_COMMITTED, "managers/otto")
    assert (approved.escalated_to, approved.limit, approved.commit_time) == ("", LIMIT, day(2))
    assert (approved.create_time, approved.etag) == (day(1), "1")
    assert (await refused(limits.approve(asked.name))).info.reason == "NOT_ESCALATED"
    assert (await names(limits.store))[1:] == ["ActionEscalated", "ActionCommitted"]


async def test_what_is_within_the_limit_is_promised_at_once(limits: Desk) -> None:
    """Nobody is asked, and the promise says what it costs and who answers for it."""
    one = (await limits.record("7")).name
    action = await limits.commit(one, cost=LIMIT, committed_by="managers/maria")
    assert (action.state, action.cost) == (api.ACTION_STATE_COMMITTED, LIMIT)
    assert (action.committed_by, action.approved_by) == ("managers/maria", "")


async def test_nothing_is_promised_unchecked(limits: Desk) -> None:
    """While the organisation cannot be asked, what costs is UNAVAILABLE and nothing is written."""
    one = (await limits.record("7")).name
    asked = await limits.commit(one, **COSTLY)
    limits.limits.away = True
    for call in (limits.commit(one, **COSTLY), limits.approve(asked.name)):
        answer = await refused(call)
        assert (answer.code, answer.info.reason) == (StatusCode.UNAVAILABLE, "PEER_UNAVAILABLE")
    assert (await names(limits.store))[1:] == ["ActionEscalated"]
    assert (await limits.commit(one)).state == api.ACTION_STATE_COMMITTED


async def test_a_repeated_call_acts_once(limits: Desk) -> None:
    """Approving, linking, reopening, agreeing and protesting by one request id happen once."""
    one, two = [(await limits.record("7")).name for _ in range(2)]
    action = (await limits.commit(one, **COSTLY)).name
    calls: list[Any] = [
        lambda: limits.approve(action, request_id=FIRST.replace("01", "11")),
        lambda: limits.link(action, two, request_id=FIRST.replace("01", "12")),
        lambda: limits.complete(action, request_id=FIRST.replace("01", "13")),
        lambda: limits.tell(action, request_id=FIRST.replace("01", "14")),
        lambda: limits.confirm(action, one, words="yes", request_id=FIRST.replace("01", "15")),
        lambda: limits.protest(action, two, request_id=FIRST.replace("01", "16")),
        lambda: limits.reopen(action, request_id=FIRST.replace("01", "17")),
    ]
    for call in calls:
        first = await call()
        assert await call() == first
        assert (await refused(limits.link(action, one, etag="99"))).code is StatusCode.ABORTED


async def test_more_is_linked_until_it_is_refused(desk: Desk) -> None:
    """Feedback linked after the end can be told at once; unknown feedback cannot be linked."""
    one, two = [(await desk.record("7")).name for _ in range(2)]
    action = (await desk.commit(one)).name
    await desk.complete(action)
    linked = await desk.link(action, two, one)
    assert (list(linked.feedback), linked.told_count) == (sorted([one, two]), 0)
    unknown = await refused(desk.link(action, "feedback/nobody"))
    assert (unknown.code, unknown.info.metadata["field"]) == (StatusCode.NOT_FOUND, "feedback")
    assert (await desk.tell(action)).told_count == 2
    assert (await refused(desk.link(action))).fields.keys() == {"feedback"}
    await desk.reopen(action)
    await desk.decline(action)
    assert (await refused(desk.link(action, two))).info.reason == "ACTION_ENDED"


async def test_a_protest_opens_the_loop_again(desk: Desk) -> None:
    """One agrees, one protests: only after something new was done can that one be told again."""
    one, two = [(await desk.record(who)).name for who in ("7", "8")]
    action = (await desk.commit(one, two)).name
    await desk.complete(action)
    assert (await desk.at(1).tell(action)).told_count == 2
    agreed = await desk.at(2).confirm(action, one, words="thank you")
    assert (agreed.confirmed_count, agreed.told_count) == (1, 2)
    protested = await desk.at(3).protest(action, two)
    assert (protested.protested_count, protested.told_count) == (1, 1)
    assert await open_loops(desk) == [two]
    assert (await refused(desk.tell(action, two))).info.reason == "PROTESTED"
    assert (await refused(desk.protest(action, two))).info.reason == "LOOP_NOT_CLOSED"
    reopened = await desk.at(4).reopen(action)
    assert (reopened.state, reopened.reopened_count) == (api.ACTION_STATE_COMMITTED, 1)
    assert (reopened.told_count, reopened.confirmed_count, reopened.protested_count) == (0, 0, 0)
    assert await open_loops(desk) == [one, two]
    await desk.complete(action)
    assert (await desk.at(5).tell(action)).told_count == 2
    assert await open_loops(desk) == []


async def open_loops(desk: Desk) -> list[str]:
    answer = await desk.ask("ListOpenLoops", api.ListOpenLoopsRequest())
    return [loop.feedback for loop in answer.open_loops]


async def test_another_answer_keeps_the_loop_closed(desk: Desk) -> None:
    """Told of two actions, an item is open only when neither holds it closed any more."""
    one = (await desk.record("7")).name
    first, second = [(await desk.commit(one)).name for _ in range(2)]
    for action in (first, second):
        await desk.complete(action)
        await desk.tell(action)
    await desk.protest(first, one)
    assert await open_loops(desk) == []
    await desk.reopen(second)
    assert await open_loops(desk) == [one]


async def test_the_author_is_who_is_known_when_told(desk: Desk) -> None:
    """An author found before telling is named by it; unknown, nobody can be written to."""
    said = (await desk.record()).name
    action = (await desk.commit(said)).name
    await desk.complete(action)
    nobody = await refused(desk.tell(action))
    assert (nobody.info.reason, nobody.info.metadata["feedback"]) == ("AUTHOR_UNKNOWN", said)
    attribute = api.AttributeFeedbackRequest(name=said, customer="customers/8", by="people/7")
    await desk.stub.AttributeFeedback(attribute)
    await desk.tell(action, told_by="managers/maria")
    (closed,) = [event async for event in stored(desk, events.LoopClosed)]
    assert (closed.customer, closed.told_by) == ("customers/8", "managers/maria")
    await desk.protest(action, said)
    (protested,) = [event async for event in stored(desk, events.LoopProtested)]
    assert protested.customer == "customers/8"


async def stored(desk: Desk, kind: Any) -> Any:
    async for batch in desk.store.read_all():
        for event in batch.events:
            if event.type == kind.DESCRIPTOR.full_name:
                yield kind.FromString(event.data)


async def test_an_offer_that_there_is_can_be_the_action(desk: Desk) -> None:
    """An unknown offer is NOT_FOUND by its field; a known one is kept."""
    one = (await desk.record("7")).name
    offer: dict[str, Any] = {"kind": events.ACTION_KIND_OFFER, "offer": "offers/9"}
    unknown = await refused(desk.commit(one, **offer))
    assert (unknown.code, unknown.info.metadata["field"]) == (StatusCode.NOT_FOUND, "offer")
    drafted = NewEvent(uuid4(), "equiloop.offers.v1.OfferDrafted", b"")
    await desk.store.append("offer-9", [drafted], Expected.NO_STREAM)
    assert (await desk.commit(one, **offer)).offer == "offers/9"


async def test_every_wrong_field_is_named(desk: Desk) -> None:
    """Cost, committer, times and who acts are each named, all at once."""
    one = (await desk.record("7")).name
    cost = Amount(currency_code="EUR", units=-1)
    answer = await refused(desk.commit(one, cost=cost, committed_by="maria", offer="x"))
    assert answer.fields.keys() == {"cost", "committed_by", "offer"}
    action = (await desk.commit(one)).name
    early = await refused(desk.complete(action, complete_time=day(-1)))
    assert early.code is StatusCode.INVALID_ARGUMENT
    assert early.fields.keys() == {"complete_time"}
    late = await refused(desk.decline(action, decline_time=day(3)))
    assert late.fields.keys() == {"decline_time"}
    assert (await refused(desk.reopen(action, by="Maria"))).fields.keys() == {"by"}
    assert (await refused(desk.protest(action, "x", reason=""))).fields.keys() == {
        "feedback",
        "reason",
    }


class Organisation(organisation_grpc.OrganisationServiceServicer):
    """A customers service that says what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answer = organisation_api.CheckAuthorityResponse()
        self.refusal: StatusCode | None = None
        self.asked: list[Any] = []
        self.metadata: list[dict[str, Any]] = []

    async def CheckAuthority(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        if self.refusal:
            await context.abort(self.refusal, "because")
        return self.answer


@pytest.fixture
async def peer() -> Any:
    """A customers service, and who asks it, in a call with a trace."""
    organisation, server = Organisation(), grpc.aio.server()  # type: ignore[abstract]
    organisation_grpc.add_OrganisationServiceServicer_to_server(organisation, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield organisation, OrganisationClient(channel)
    await server.stop(0)


Peer = tuple[Organisation, OrganisationClient]


async def ask(client: OrganisationClient) -> Authority:
    CURRENT.set(Call("r-1", traceparent="00-a-b-01"))
    cost = Money(currency_code="EUR", minor=500_000)
    kind = events.ACTION_KIND_PROCESS_CHANGE
    return await client.authority("managers/maria", "functions/service", kind, cost)


async def test_the_organisation_is_asked_for_this_decision(peer: Peer) -> None:
    """Who, for which function, kind and cost; limit and addressee come back as they are."""
    organisation, client = peer
    organisation.answer.limit.CopyFrom(LIMIT)
    organisation.answer.escalate_to = "managers/otto"
    limit = Money(currency_code="EUR", minor=100_000)
    assert await ask(client) == Authority(granted=False, limit=limit, escalate_to="managers/otto")
    organisation.answer.CopyFrom(organisation_api.CheckAuthorityResponse(granted=True))
    assert await ask(client) == Authority(granted=True)
    assert organisation.asked[0] == organisation_api.CheckAuthorityRequest(
        manager="managers/maria",
        function="functions/service",
        kind=events.ACTION_KIND_PROCESS_CHANGE,
        amount=COST,
    )
    assert organisation.metadata[0][TRACEPARENT] == "00-a-b-01"


async def test_what_the_organisation_refuses_is_told_for_what_it_is(peer: Peer) -> None:
    """A function that there is not is NOT_FOUND as the owner; trouble is trouble."""
    organisation, client = peer
    organisation.refusal = StatusCode.NOT_FOUND
    with pytest.raises(NotFound) as caught:
        await ask(client)
    assert caught.value.metadata == {"resource": "functions/service", "field": "owner"}
    organisation.refusal = StatusCode.INTERNAL
    with pytest.raises(grpc.aio.AioRpcError):
        await ask(client)
