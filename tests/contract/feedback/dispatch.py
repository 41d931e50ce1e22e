"""What tests say of routes and deadlines, in few words; and a policy that looks when it is told."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from equiloop.customers.v1 import events_pb2 as customers
from equiloop.customers.v1 import organisation_events_pb2 as organisation
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import routing_service_pb2 as api
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from libs.contract.events import CODEC
from libs.decider import Decider
from libs.eventstore.port import EventStore, Expected, NewEvent
from libs.kernel.values import timestamp
from services.feedback.policy.loop_slas import LoopSlas
from tests.contract.feedback.desk import Desk, day, paged

BY = "people/7"


def days(number: float) -> Duration:
    """Answer a length of time."""
    message = Duration()
    message.FromTimedelta(timedelta(days=number))
    return message


async def happen(store: EventStore, stream: str, event: Message) -> None:
    """Append what happens in another context, or what this one cannot yet be asked for."""
    new = NewEvent(uuid4(), event.DESCRIPTOR.full_name, event.SerializeToString())
    await store.append(stream, [new], Expected.ANY)


class Dispatch:
    """Those who bring feedback to the right person, and look at the clock."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def at(self, number: float) -> "Dispatch":
        """Turn the clock to a day."""
        self.desk.at(number)
        return self

    async def organise(self) -> None:
        """Have functions: service, led by ada < bo < cy; repair below service; sales, led by none.

        The head of a function is not known to its parts: repair goes up to service.
        """
        for key, head, parent in (
            ("service", "managers/ada", ""),
            ("repair", "", "functions/service"),
            ("sales", "", ""),
        ):
            name = f"functions/{key}"
            event = organisation.FunctionRegistered(function=name, head=head, parent=parent)
            await happen(self.desk.store, f"function-{key}", event)
        for who, to in (("ada", "bo"), ("bo", "cy")):
            line = organisation.ReportingLineSet(
                manager=f"managers/{who}", reports_to=f"managers/{to}"
            )
            await happen(self.desk.store, f"manager-{who}", line)

    async def label(self, customer: str, *segments: str) -> None:
        """Give a customer segments."""
        event = customers.CustomerLabelled(customer=f"customers/{customer}", segments=segments)
        await happen(self.desk.store, f"customer-{customer}", event)

    async def route(self, name: str, function: str = "service", **fields: Any) -> api.Route:
        """Give feedback to a function."""
        request = api.RouteFeedbackRequest(
            name=name, function=f"functions/{function}", by=BY, **fields
        )
        answer: api.Route = await self.desk.routing.RouteFeedback(request)
        return answer

    async def accept(self, name: str, function: str = "service") -> api.Route:
        """Say that it is in the right place."""
        request = api.AcceptRouteRequest(name=name, function=f"functions/{function}", by=BY)
        answer: api.Route = await self.desk.routing.AcceptRoute(request)
        return answer

    async def send_back(self, name: str, function: str = "service") -> api.Route:
        """Say that it is not."""
        request = api.ReturnRouteRequest(
            name=name, function=f"functions/{function}", by=BY, reason="not ours"
        )
        answer: api.Route = await self.desk.routing.ReturnRoute(request)
        return answer

    async def way(self, name: str) -> api.Route:
        """Answer the way of feedback so far."""
        answer: api.Route = await self.desk.routing.GetRoute(api.GetRouteRequest(name=name))
        return answer

    async def inbox(self, function: str = "service", **asked: Any) -> list[api.InboxItem]:
        """Answer all of an inbox, page by page."""
        name = function and f"functions/{function}"
        request = api.ListInboxRequest(function=name, **asked)
        pages = await paged(self.desk, "ListInbox", request, "items", self.desk.routing)
        return [item for page in pages for item in page]

    async def held(self, function: str = "service", **asked: Any) -> list[str]:
        """Answer what a function holds."""
        return [item.feedback for item in await self.inbox(function, **asked)]

    async def promise(self, key: str = "all", **fields: Any) -> api.LoopSla:
        """Promise by when feedback is answered: in five days, unless another is named."""
        usual: dict[str, Any] = {"sla_id": key, "by": BY}
        if not {"accept_within", "close_within"} & fields.keys():
            usual["close_within"] = days(5)
        answer: api.LoopSla = await self.desk.routing.SetLoopSla(
            api.SetLoopSlaRequest(**(usual | fields))
        )
        return answer

    async def withdraw(self, key: str) -> api.LoopSla:
        """Take a promise back."""
        request = api.WithdrawLoopSlaRequest(name=f"slas/{key}", by=BY)
        answer: api.LoopSla = await self.desk.routing.WithdrawLoopSla(request)
        return answer

    async def report(self, **asked: Any) -> tuple[int, list[tuple[int, int, int]]]:
        """Answer loops, and by stage (accept, close) how many deadlines were met, missed, run."""
        request = api.GetLoopSlaReportRequest(**asked)
        answer = await self.desk.ask("GetLoopSlaReport", request, self.desk.routing)
        counts = [(s.met_count, s.breached_count, s.running_count) for s in answer.stages]
        assert [s.total_count for s in answer.stages] == [sum(each) for each in counts]
        return answer.loop_count, counts

    async def tell(self, *feedback: str, **fields: Any) -> str:
        """Commit, complete and tell, all at the present instant; answer the action."""
        action = await self.desk.commit(*feedback)
        await self.desk.complete(action.name)
        await self.desk.tell(action.name, **fields)
        return action.name

    async def open_again(self, action: str, *feedback: str) -> None:
        """Say that what an action told holds no more."""
        event = events.ActionReopened(
            event_time=timestamp(self.desk.now), action=action, feedback=feedback
        )
        await happen(self.desk.store, action.replace("actions/", "action-"), event)

    async def look(self, policy: LoopSlas | None = None) -> None:
        """Have the policy look at the clock, once views have seen all that was written."""
        await self.desk.projection.wait(await self.desk.store.head())
        await (policy or self.policy()).tick(self.desk.now)
        await self.desk.projection.wait(await self.desk.store.head())

    def policy(self, kind: type[LoopSlas] = LoopSlas) -> LoopSlas:
        """Answer a policy that remembers nothing of those before it, as after a restart."""

        def clock() -> datetime:
            return self.desk.now

        return kind(Decider(self.desk.store, CODEC, clock), self.desk.projection.database)  # type: ignore[arg-type]

    async def since(self, head: int) -> Sequence[Message]:
        """Answer what is in the log after a position."""
        found = [e async for batch in self.desk.store.read_all() for e in batch.events]
        return [CODEC.decode(event) for event in found if event.position > head]


async def missed(dispatch: Dispatch, name: str) -> list[tuple[int, int]]:
    """Answer the missed deadlines of feedback: (stage, by when in whole days)."""
    return [
        (breach.stage, round((breach.deadline.seconds - day(0).seconds) / 86_400))
        for breach in (await dispatch.way(name)).breaches
    ]
