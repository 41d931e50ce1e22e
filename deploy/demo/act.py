"""Second half of the demo: what was said is answered for, acted on, told, and answered."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import routing_service_pb2 as routing
from equiloop.feedback.v1 import service_pb2 as feedback
from google.protobuf.timestamp_pb2 import Timestamp

from deploy.demo.gateway import Gateway, request_id
from deploy.demo.organisation import DIRECTOR, FUNCTIONS, HEAD, OWNERS
from libs.kernel.money import to_message
from libs.kernel.values import timestamp

Advance = Callable[[int], object]


def _on(month: int, day: int) -> Timestamp:
    return timestamp(datetime(1998, month, day, 12, tzinfo=UTC))


COMMITTED, ENDED, TOLD, ANSWERED = _on(5, 20), _on(5, 25), _on(5, 28), _on(5, 30)
"""When actions were promised and done, customers told, and when they answered."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the demo's organisation does about the complaints in one theme; costs in dollars."""

    theme: str
    kind: events.ActionKind.ValueType
    title: str
    cost: int
    done: str = ""
    refused: str = ""
    tell: bool = True

    @property
    def owner(self) -> str:
        """The function that owns it."""
        return f"functions/{OWNERS[self.theme]}"


PLANS = (
    Plan(
        "battery",
        events.ACTION_KIND_PRODUCT_CHANGE,
        "Ship a battery that lasts a working day",
        9_000,
        done="The new battery holds for eleven hours and fits the old models",
    ),
    Plan(
        "service",
        events.ACTION_KIND_PROCESS_CHANGE,
        "Answer every mail and every return within two days",
        2_000,
        done="Whoever picks up the phone decides on returns; mails are answered within two days",
    ),
    Plan(
        "ease-of-use",
        events.ACTION_KIND_OBSTACLE_REMOVAL,
        "Cut the menu to one level",
        4_000,
        done="The menu has one level; the manual has four pages",
        tell=False,
    ),
    Plan(
        "price",
        events.ACTION_KIND_ANSWER,
        "Lower the price of last year's models",
        1_000,
        refused="Last year's models are sold at what they cost us; we publish the sum",
    ),
    Plan(
        "software",
        events.ACTION_KIND_PRODUCT_CHANGE,
        "Let files be copied without our software",
        50_000,
    ),
)
"""The last is over what the head of its function may decide: it waits for the director."""


def complaints(said: Iterable[feedback.Feedback], theme: str) -> list[feedback.Feedback]:
    """Answer what was said against something by the time at which actions were promised."""
    by = COMMITTED.ToDatetime()
    return [
        item
        for item in said
        if theme in item.themes and item.sentiment < 0 and item.receive_time.ToDatetime() < by
    ]


def told(said: Iterable[feedback.Feedback]) -> list[feedback.Feedback]:
    """Answer whose authors are told, each once: in the order in which they spoke."""
    items = list(said)
    ended = [plan for plan in PLANS if plan.tell and (plan.done or plan.refused)]
    names = {item.name: item for plan in ended for item in complaints(items, plan.theme)}
    return list(names.values())


async def accept(gateway: Gateway, said: Sequence[feedback.Feedback], advance: Advance) -> None:
    """Have each function accept, of what it was routed, the complaints that shall be acted on."""
    wanted = {item.name for plan in PLANS for item in complaints(said, plan.theme)}
    for name in FUNCTIONS:
        function = f"functions/{name}"
        for item in await _inbox(gateway, function):
            if item.feedback in wanted:
                request = routing.AcceptRouteRequest(
                    name=item.feedback,
                    function=function,
                    by=HEAD,
                    request_id=request_id("accept", item.feedback),
                )
                await gateway.send(gateway.routing.AcceptRoute(request))
        advance(1)


async def _inbox(gateway: Gateway, function: str) -> list[routing.InboxItem]:
    request, items = routing.ListInboxRequest(function=function, page_size=1000), []
    while True:
        page = await gateway.ask(gateway.routing.ListInbox, request)
        items += page.items
        if not page.next_page_token:
            return items
        request.page_token = page.next_page_token


async def act(gateway: Gateway, said: Sequence[feedback.Feedback], advance: Advance) -> None:
    """Commit one action for the complaints in each plan's theme; finish, refuse, and tell."""
    for plan in PLANS:
        items = complaints(said, plan.theme)
        commit = feedback.CommitActionRequest(
            kind=plan.kind,
            title=plan.title,
            owner=plan.owner,
            feedback=[item.name for item in items],
            cost=to_message(plan.cost * 100, "USD"),
            committed_by=HEAD,
            commit_time=COMMITTED,
            request_id=request_id("commit", plan.theme),
        )
        action = await gateway.send(gateway.feedback.CommitAction(commit))
        if action.state == feedback.ACTION_STATE_ESCALATED:
            approve = feedback.ApproveActionRequest(
                name=action.name, approved_by=DIRECTOR, request_id=request_id("approve", plan.theme)
            )
            await gateway.send(gateway.feedback.ApproveAction(approve))
        await _finish(gateway, plan, action.name)
        await _hear(gateway, plan, action.name, items)
        advance(1)


async def _finish(gateway: Gateway, plan: Plan, action: str) -> None:
    if plan.done:
        complete = feedback.CompleteActionRequest(
            name=action,
            outcome=plan.done,
            complete_time=ENDED,
            request_id=request_id("complete", plan.theme),
        )
        await gateway.send(gateway.feedback.CompleteAction(complete))
    elif plan.refused:
        decline = feedback.DeclineActionRequest(
            name=action,
            reason=plan.refused,
            decline_time=ENDED,
            request_id=request_id("decline", plan.theme),
        )
        await gateway.send(gateway.feedback.DeclineAction(decline))
    if plan.tell and (plan.done or plan.refused):
        close = feedback.CloseLoopRequest(
            name=action,
            channel=events.CHANNEL_EMAIL,
            message=plan.done or plan.refused,
            told_time=TOLD,
            told_by=plan.owner,
            request_id=request_id("tell", plan.theme),
        )
        await gateway.send(gateway.feedback.CloseLoop(close))


async def _hear(
    gateway: Gateway, plan: Plan, action: str, items: Sequence[feedback.Feedback]
) -> None:
    """Whoever was told of something done agrees; who was refused for the first time protests."""
    if not plan.tell or not (plan.done or plan.refused):
        return
    answer: dict[str, Any] = {"name": action, "respond_time": ANSWERED}
    if plan.refused:
        protest = feedback.ProtestLoopRequest(
            feedback=items[0].name,
            reason="Then tell me what the next one will cost.",
            request_id=request_id("protest", items[0].name),
            **answer,
        )
        await gateway.send(gateway.feedback.ProtestLoop(protest))
        return
    for item in items:
        confirm = feedback.ConfirmLoopRequest(
            feedback=item.name, request_id=request_id("confirm", item.name), **answer
        )
        await gateway.send(gateway.feedback.ConfirmLoop(confirm))
