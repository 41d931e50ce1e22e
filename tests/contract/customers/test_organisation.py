"""The organisation as its callers meet it: over gRPC, on a log and views of the test's own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from equiloop.customers.v1 import organisation_events_pb2 as events
from equiloop.customers.v1 import organisation_service_pb2 as api
from equiloop.customers.v1.organisation_service_pb2_grpc import OrganisationServiceStub
from equiloop.feedback.v1 import events_pb2 as feedback
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.money_pb2 import Money

from libs.chassis.call import MIN_POSITION
from libs.chassis.handlers import Wrapper
from libs.chassis.server import Server
from libs.chassis.settings import Settings
from libs.contract.events import CODEC
from libs.decider import Decider
from libs.eventstore.port import EventStore, Expected, NewEvent
from libs.projection import Projection
from libs.projection.sqlite import SqliteDatabase
from libs.telemetry import Telemetry
from services.customers.service import services
from services.customers.service.means import Means
from services.customers.views import VIEWS
from tests.contract.chassis.serving import refused


class Office:
    """A client of OrganisationService."""

    def __init__(self, store: EventStore, stub: Any) -> None:
        self.store, self.stub = store, stub

    async def ask(self, method: str, request: Any) -> Any:
        """Ask a question of views that have seen all that was written."""
        head = str(await self.store.head())
        return await getattr(self.stub, method)(request, metadata=((MIN_POSITION, head),))

    async def function(self, key: str, **fields: Any) -> api.Function:
        """Register a function."""
        request = api.RegisterFunctionRequest(function_id=key, **fields)
        answer: api.Function = await self.stub.RegisterFunction(request)
        return answer

    async def reports(self, who: str, to: str = "", **fields: Any) -> api.ReportingLine:
        """Say to whom a manager reports; nobody: to nobody."""
        request = api.SetReportingLineRequest(
            manager=f"managers/{who}", reports_to=to and f"managers/{to}", **fields
        )
        answer: api.ReportingLine = await self.stub.SetReportingLine(request)
        return answer

    async def above(self, who: str) -> list[str]:
        """Answer everybody above a manager."""
        request = api.GetReportingLineRequest(manager=f"managers/{who}")
        return list((await self.stub.GetReportingLine(request)).above)

    async def grant(self, who: str, euros: int, **fields: Any) -> api.Authority:
        """Let a manager decide."""
        limit = Money(currency_code="EUR", units=euros)
        request = api.GrantAuthorityRequest(manager=f"managers/{who}", limit=limit, **fields)
        answer: api.Authority = await self.stub.GrantAuthority(request)
        return answer

    async def check(
        self, who: str, function: str, euros: int, **fields: Any
    ) -> api.CheckAuthorityResponse:
        """Ask whether a manager may decide."""
        request = api.CheckAuthorityRequest(
            manager=f"managers/{who}",
            function=f"functions/{function}",
            amount=Money(currency_code="EUR", units=euros),
            **fields,
        )
        answer: api.CheckAuthorityResponse = await self.stub.CheckAuthority(request)
        return answer


@pytest.fixture
async def office(embedded: EventStore, tmp_path: Path) -> AsyncIterator[Office]:
    """The customers service, running."""
    database = SqliteDatabase(tmp_path / "views")
    projection = Projection(embedded, CODEC, database, VIEWS)
    settings = Settings(drain=0)
    wrapper = Wrapper(Telemetry("customers"), settings.deadline, projection.wait)
    means = Means(embedded, Decider(embedded, CODEC), database)
    server = Server(settings, wrapper, services(means))
    port = await server.start("127.0.0.1:0")
    following = asyncio.create_task(projection.run())
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Office(embedded, OrganisationServiceStub(channel))
        await server.drain()
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
    await projection.close()


async def test_a_function_is_registered_and_changed(office: Office) -> None:
    """It is answered as it now is; a stale etag and an unknown parent are refused by name."""
    await office.function("product")
    made = await office.function(
        "research", parent="functions/product", journey_fragments=["use", "trial"]
    )
    assert (made.parent, made.etag) == ("functions/product", "0")
    assert list(made.journey_fragments) == ["trial", "use"]
    wanted = api.Function(name=made.name, head="managers/ada", etag="0")
    request = api.UpdateFunctionRequest(function=wanted, update_mask=FieldMask(paths=["head"]))
    now = await office.stub.UpdateFunction(request)
    assert (now.head, now.parent, now.etag) == ("managers/ada", "functions/product", "1")
    assert now == await office.stub.GetFunction(api.GetFunctionRequest(name=made.name))
    wanted.head = "managers/bo"
    error = await refused(office.stub.UpdateFunction(request))
    assert error.code is grpc.StatusCode.ABORTED
    error = await refused(office.function("x", parent="functions/none"))
    assert error.code is grpc.StatusCode.NOT_FOUND
    assert "functions/none" in error.message


async def test_functions_are_listed_and_what_is_open_is_shown(office: Office) -> None:
    """Pages lead to the end; nobody's functions, nobody's fragments and shared ones are named."""
    await office.function("a", head="managers/ada", journey_fragments=["buy", "use"])
    await office.function("b", parent="functions/a", journey_fragments=["use"])
    await office.function("c", parent="functions/a", journey_fragments=["return"])
    listed: list[str] = []
    request = api.ListFunctionsRequest(page_size=2)
    while True:
        page = await office.ask("ListFunctions", request)
        listed += [each.name for each in page.functions]
        request.page_token = page.next_page_token
        if not request.page_token:
            break
    assert listed == ["functions/a", "functions/b", "functions/c"]
    below = await office.ask("ListFunctions", api.ListFunctionsRequest(parent="functions/a"))
    assert [each.name for each in below.functions] == ["functions/b", "functions/c"]
    led = await office.ask("ListFunctions", api.ListFunctionsRequest(head="managers/ada"))
    assert [each.name for each in led.functions] == ["functions/a"]
    dropped = api.Function(name="functions/c")
    mask = FieldMask(paths=["journey_fragments"])
    await office.stub.UpdateFunction(api.UpdateFunctionRequest(function=dropped, update_mask=mask))
    open_ = await office.ask("GetFunctionRegistry", api.GetFunctionRegistryRequest())
    assert open_ == api.FunctionRegistry(
        function_count=3,
        functions_without_head=["functions/b", "functions/c"],
        unowned_journey_fragments=["return"],
        shared_journey_fragments=["use"],
    )


async def test_functions_form_a_tree(office: Office) -> None:
    """What is below a function cannot be put above it; what moves nothing may go on."""
    await office.function("a")
    await office.function("b", parent="functions/a")
    await office.function("c", parent="functions/b")
    mask = FieldMask(paths=["parent"])
    for parent in ("functions/a", "functions/c"):
        wanted = api.Function(name="functions/a", parent=parent)
        request = api.UpdateFunctionRequest(function=wanted, update_mask=mask)
        error = await refused(office.stub.UpdateFunction(request))
        assert error.info.reason == "CYCLE"
    wanted = api.Function(name="functions/c", parent="functions/a")
    moved = await office.stub.UpdateFunction(
        api.UpdateFunctionRequest(function=wanted, update_mask=mask)
    )
    assert moved.parent == "functions/a"


async def test_lines_lead_to_the_top(office: Office) -> None:
    """Everybody above is named, the nearest first; a manager nobody knows reports to nobody."""
    await office.function("research")
    await office.reports("ada", "bo", function="functions/research")
    line = await office.reports("bo", "cy")
    assert (line.reports_to, list(line.above), line.etag) == ("managers/cy", ["managers/cy"], "0")
    assert await office.above("ada") == ["managers/bo", "managers/cy"]
    assert await office.above("cy") == []
    assert await office.above("nobody") == []
    error = await refused(office.reports("cy", "ada"))
    assert error.info.reason == "CYCLE"
    error = await refused(office.reports("cy", "bo", function="functions/none"))
    assert "functions/none" in error.message


async def test_two_moves_at_once_close_no_circle(office: Office) -> None:
    """Of twenty managers who shall each report to the next, at once, one is refused."""
    ring = [(str(number), str((number + 1) % 20)) for number in range(20)]
    moves = [office.reports(who, to) for who, to in ring]
    outcomes = await asyncio.gather(*moves, return_exceptions=True)
    wrong = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert len(wrong) == 1
    assert isinstance(wrong[0], grpc.aio.AioRpcError)
    assert wrong[0].code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_a_circle_that_slipped_in_holds_nobody_up(office: Office) -> None:
    """Two instances closed one: lines and authority are answered all the same, and it can go."""
    await office.function("research")
    await office.reports("ada", "bo")
    slipped = events.ReportingLineSet(manager="managers/bo", reports_to="managers/ada")
    kind = slipped.DESCRIPTOR.full_name
    new = NewEvent(uuid4(), kind, slipped.SerializeToString())
    await office.store.append("manager-bo", [new], Expected.NO_STREAM)
    assert await office.above("ada") == ["managers/bo"]
    assert await office.above("bo") == ["managers/ada"]
    answer = await office.check("ada", "research", 1)
    assert not answer.granted
    assert answer.escalate_to == ""
    assert list((await office.reports("bo", "cy")).above) == ["managers/cy"]


async def test_authority_ends_at_its_limit_and_goes_up_the_line(office: Office) -> None:
    """Up to the limit a manager decides; above it the first upwards whose authority covers it."""
    await office.function("product")
    await office.function("research", parent="functions/product")
    await office.function("sales")
    await office.reports("ada", "bo")
    await office.reports("bo", "cy")
    await office.grant("ada", 100, functions=["functions/research"])
    await office.grant("bo", 500, functions=["functions/product"])
    await office.grant("cy", 10_000, kinds=[feedback.ACTION_KIND_OFFER])
    at_limit = await office.check("ada", "research", 100)
    assert at_limit.granted
    assert at_limit.limit.units == 100
    over = await office.check("ada", "research", 101)
    assert (over.granted, over.limit.units, over.escalate_to) == (False, 100, "managers/bo")
    offer = await office.check("ada", "research", 501, kind=feedback.ACTION_KIND_OFFER)
    assert offer.escalate_to == "managers/cy"
    nobody = await office.check("ada", "research", 501)
    assert nobody.escalate_to == ""
    elsewhere = await office.check("ada", "sales", 1)
    assert not elsewhere.granted
    assert not elsewhere.HasField("limit")
    error = await refused(office.check("ada", "none", 1))
    assert "functions/none" in error.message


async def test_what_was_taken_back_no_longer_counts(office: Office) -> None:
    """At once for the next decision, and in the matrix; a repeated request is answered as then."""
    await office.function("research")
    await office.function("sales")
    everywhere = await office.grant("ada", 100)
    here = await office.grant("ada", 200, functions=["functions/research"])
    bo = await office.grant("bo", 300, functions=["functions/sales"])
    request_id = str(uuid4())
    revoke = api.RevokeAuthorityRequest(name=here.name, reason="moved", request_id=request_id)
    taken = await office.stub.RevokeAuthority(revoke)
    assert taken.HasField("revoke_time")
    assert taken == await office.stub.RevokeAuthority(revoke)
    assert (await office.check("ada", "research", 150)).limit.units == 100

    async def matrix(**asked: Any) -> list[str]:
        found: list[str] = []
        request = api.ListAuthoritiesRequest(page_size=1, **asked)
        while True:
            page = await office.ask("ListAuthorities", request)
            found += [each.name for each in page.authorities]
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    assert await matrix() == sorted([everywhere.name, bo.name])
    assert await matrix(manager="managers/bo") == [bo.name]
    assert await matrix(function="functions/research") == [everywhere.name]
    error = await refused(
        office.stub.RevokeAuthority(api.RevokeAuthorityRequest(name="managers/a"))
    )
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
