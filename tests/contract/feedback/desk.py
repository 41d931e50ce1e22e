"""The feedback service as its callers meet it: over gRPC, on a log and views of the test's own."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
from equiloop.customers.v1 import events_pb2 as customer_events
from equiloop.customers.v1 import organisation_events_pb2 as organisation_events
from equiloop.feedback.v1 import community_service_pb2_grpc as community_grpc
from equiloop.feedback.v1 import conversation_service_pb2_grpc as conversation_grpc
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import market_service_pb2_grpc as market_grpc
from equiloop.feedback.v1 import routing_service_pb2_grpc as routing_grpc
from equiloop.feedback.v1 import service_pb2 as api
from equiloop.feedback.v1 import service_pb2_grpc as api_grpc
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio

from libs.chassis.call import MIN_POSITION
from libs.chassis.handlers import Wrapper
from libs.chassis.server import Server
from libs.chassis.settings import Settings
from libs.contract.events import CODEC
from libs.decider import Decider
from libs.eventstore.port import EventStore, Expected, NewEvent
from libs.kernel.money import Money
from libs.kernel.refusals import Refusal
from libs.kernel.values import timestamp
from libs.projection import Projection
from libs.projection.sqlite import SqliteDatabase
from libs.telemetry import Telemetry
from services.feedback.coding.vader import Vader
from services.feedback.domain.intake import Coder as Identity
from services.feedback.domain.promise import Authority
from services.feedback.service import services
from services.feedback.service.means import Means
from services.feedback.stakes import Valuation
from services.feedback.views import VIEWS

DAY_0 = datetime(2024, 5, 1, tzinfo=UTC)


def day(number: float) -> Timestamp:
    """Answer an instant, in days from the first."""
    return timestamp(DAY_0 + timedelta(days=number))


class Worth:
    """A valuer who has been told what each customer is worth, in cents; nothing: not yet known."""

    def __init__(self) -> None:
        self.cents: dict[str, int] | None = {}
        self.asked: list[tuple[set[str], Timestamp]] = []

    async def valuation(self, customers: Collection[str], as_of: Timestamp) -> Valuation:
        self.asked.append((set(customers), as_of))
        if self.cents is None:
            raise Refusal("EQUITY_NOT_AVAILABLE", "customers cannot be valued yet")
        worth = {name: self.cents[name] for name in customers if name in self.cents}
        return Valuation("EUR", worth, "models/p", "models/s", 7)


class Polyglot:
    """A detector that knows a language by one word of it, and can be made another version."""

    def __init__(self) -> None:
        self.identity = Identity(name="polyglot", version="1")
        self.words = {"und": "de", "et": "fr"}

    def detect(self, text: str) -> str:
        found = (self.words[word] for word in text.split() if word in self.words)
        return next(found, "")


class Limits:
    """An organisation that has been told how much each manager may commit to, in cents of a euro.

    Whoever has no limit may commit to nothing. ``away``: it cannot be asked.
    """

    def __init__(self) -> None:
        self.cents: dict[str, int] = {}
        self.away = False

    async def authority(
        self,
        manager: str,
        function: str,  # noqa: ARG002 - its limits hold everywhere
        kind: int,  # noqa: ARG002 - and for everything
        cost: Money,
    ) -> Authority:
        if self.away:
            raise aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, aio.Metadata(), aio.Metadata())
        limits = {who: Money(currency_code="EUR", minor=most) for who, most in self.cents.items()}
        able = [who for who, limit in sorted(limits.items()) if limit.minor >= cost.minor]
        granted = manager in able
        escalate_to = None if granted or not able else able[0]
        return Authority(granted=granted, limit=limits.get(manager), escalate_to=escalate_to)


class Desk:
    """A client of the service, and the hands that turn its clock."""

    market: Any
    """A client of MarketService."""

    talk: Any
    """A client of ConversationService."""

    community: Any
    """A client of CommunityService."""
    routing: Any
    """A client of RoutingService."""
    decider: Decider
    projection: Projection[Any]

    def __init__(self, store: EventStore, stub: Any, worth: Worth, limits: Limits) -> None:
        self.store, self.stub, self.worth, self.limits = store, stub, worth, limits
        self.languages = Polyglot()
        self.now = DAY_0

    def at(self, number: float) -> "Desk":
        """Turn the clock to a day."""
        self.now = DAY_0 + timedelta(days=number)
        return self

    async def customers(self, *keys: str) -> None:
        """Have customers registered, as the customers service would."""
        kind = customer_events.CustomerRegistered.DESCRIPTOR.full_name
        for key in keys:
            event = customer_events.CustomerRegistered(customer=f"customers/{key}")
            new = NewEvent(uuid4(), kind, event.SerializeToString())
            await self.store.append(f"customer-{key}", [new], Expected.NO_STREAM)

    async def functions(self, *keys: str) -> None:
        """Have functions registered, as the customers service would."""
        kind = organisation_events.FunctionRegistered.DESCRIPTOR.full_name
        for key in keys:
            event = organisation_events.FunctionRegistered(function=f"functions/{key}")
            new = NewEvent(uuid4(), kind, event.SerializeToString())
            await self.store.append(f"function-{key}", [new], Expected.ANY)

    async def ask(self, method: str, request: Any, of: Any = None) -> Any:
        """Ask a question (``of`` another service) of views that have seen all that was written."""
        head = str(await self.store.head())
        ask = getattr(of or self.stub, method)
        return await ask(request, metadata=((MIN_POSITION, head),))

    async def record(self, customer: str = "", **fields: Any) -> api.Feedback:
        """Record what a customer (`7`; empty: unknown) says."""
        usual: dict[str, Any] = {
            "customer": customer and f"customers/{customer}",
            "channel": events.CHANNEL_WEB,
            "text": "the battery dies",
        }
        answer: api.Feedback = await self.stub.RecordFeedback(
            api.RecordFeedbackRequest(**(usual | fields))
        )
        return answer

    async def code(self, name: str, *themes: str, **fields: Any) -> api.Feedback:
        """Say what feedback is about."""
        coder = events.Coder(name="people/7")
        request = api.CodeFeedbackRequest(name=name, themes=themes, coder=coder, **fields)
        answer: api.Feedback = await self.stub.CodeFeedback(request)
        return answer

    async def commit(self, *feedback: str, **fields: Any) -> api.Action:
        """Promise to do something about feedback."""
        usual: dict[str, Any] = {
            "kind": events.ACTION_KIND_PRODUCT_CHANGE,
            "title": "a larger battery",
            "owner": "functions/research",
            "feedback": feedback,
        }
        answer: api.Action = await self.stub.CommitAction(
            api.CommitActionRequest(**(usual | fields))
        )
        return answer

    async def complete(self, name: str, **fields: Any) -> api.Action:
        """Say that it was done."""
        request = api.CompleteActionRequest(name=name, outcome="it lasts two days", **fields)
        answer: api.Action = await self.stub.CompleteAction(request)
        return answer

    async def decline(self, name: str, **fields: Any) -> api.Action:
        """Say that it will not be done."""
        request = api.DeclineActionRequest(name=name, reason="too heavy", **fields)
        answer: api.Action = await self.stub.DeclineAction(request)
        return answer

    async def tell(self, name: str, *feedback: str, **fields: Any) -> api.Action:
        """Say that customers were told."""
        usual: dict[str, Any] = {
            "channel": events.CHANNEL_EMAIL,
            "message": "it lasts two days now",
        }
        answer: api.Action = await self.stub.CloseLoop(
            api.CloseLoopRequest(name=name, feedback=feedback, **(usual | fields))
        )
        return answer

    async def approve(self, name: str, who: str = "managers/otto", **fields: Any) -> api.Action:
        """Approve what was over somebody's authority."""
        request = api.ApproveActionRequest(name=name, approved_by=who, **fields)
        answer: api.Action = await self.stub.ApproveAction(request)
        return answer

    async def link(self, name: str, *feedback: str, **fields: Any) -> api.Action:
        """Say that the action answers more feedback."""
        request = api.LinkFeedbackRequest(name=name, feedback=feedback, **fields)
        answer: api.Action = await self.stub.LinkFeedback(request)
        return answer

    async def reopen(self, name: str, **fields: Any) -> api.Action:
        """Take back that it was done, or refused."""
        usual = {"reason": "the batteries swell", "by": "managers/maria"}
        request = api.ReopenActionRequest(name=name, **(usual | fields))
        answer: api.Action = await self.stub.ReopenAction(request)
        return answer

    async def confirm(self, name: str, feedback: str, **fields: Any) -> api.Action:
        """Say that the customer agrees."""
        request = api.ConfirmLoopRequest(name=name, feedback=feedback, **fields)
        answer: api.Action = await self.stub.ConfirmLoop(request)
        return answer

    async def protest(self, name: str, feedback: str, **fields: Any) -> api.Action:
        """Say that the customer does not agree."""
        usual = {"reason": "mine still dies at noon"}
        request = api.ProtestLoopRequest(name=name, feedback=feedback, **(usual | fields))
        answer: api.Action = await self.stub.ProtestLoop(request)
        return answer


@asynccontextmanager
async def open_desk(store: EventStore, folder: Path) -> AsyncIterator[Desk]:
    """Run the service for as long as the context lasts."""
    worth, limits = Worth(), Limits()
    desk = Desk(store, None, worth, limits)

    def clock() -> datetime:
        return desk.now

    database = SqliteDatabase(folder)
    projection = Projection(store, CODEC, database, VIEWS)
    desk.decider, desk.projection = Decider(store, CODEC, clock), projection
    means = Means(
        store,
        desk.decider,
        database,
        projection.moved,
        worth,
        limits,
        clock,
        Vader(),
        desk.languages,
    )
    settings = Settings(drain=0)
    wrapper = Wrapper(Telemetry("feedback"), settings.deadline, projection.wait)
    server = Server(settings, wrapper, services(means))
    port = await server.start("127.0.0.1:0")
    following = asyncio.create_task(projection.run())
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        desk.stub = api_grpc.FeedbackServiceStub(channel)
        desk.community = community_grpc.CommunityServiceStub(channel)
        desk.talk = conversation_grpc.ConversationServiceStub(channel)
        desk.market = market_grpc.MarketServiceStub(channel)
        desk.routing = routing_grpc.RoutingServiceStub(channel)
        try:
            yield desk
        finally:
            await server.drain()
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
            await projection.close()


async def paged(
    desk: Desk, method: str, request: Any, field: str, of: Any = None
) -> list[list[Any]]:
    """Read a list to its end, page by page."""
    pages: list[list[Any]] = []
    while True:
        answer = await desk.ask(method, request, of)
        pages.append(list(getattr(answer, field)))
        if not answer.next_page_token:
            return pages
        request.page_token = answer.next_page_token


async def names(store: EventStore) -> Sequence[str]:
    """Answer what has happened, by name, customers' registrations left out."""
    kinds = [event.type async for batch in store.read_all() for event in batch.events]
    ours = [kind for kind in kinds if kind.startswith("equiloop.feedback.")]
    return [kind.rsplit(".", 1)[1] for kind in ours]
