"""What tests say of the market, in few words."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from equiloop.customers.v1 import organisation_events_pb2 as organisation
from equiloop.feedback.v1 import market_events_pb2 as events
from equiloop.feedback.v1 import market_service_pb2 as api
from google.protobuf.duration_pb2 import Duration

from libs.eventstore.port import Expected, NewEvent
from tests.contract.feedback.desk import Desk


async def identify(desk: Desk, *feedback: str, **fields: Any) -> api.Need:
    """See in feedback what customers want."""
    usual: dict[str, Any] = {
        "title": "a day without a socket",
        "feedback": feedback,
        "by": "people/7",
    }
    answer: api.Need = await desk.market.IdentifyNeed(api.IdentifyNeedRequest(**(usual | fields)))
    return answer


async def validate(desk: Desk, name: str, **fields: Any) -> api.Need:
    """Find that a need is there."""
    usual: dict[str, Any] = {
        "name": name,
        "method": events.VALIDATION_METHOD_INTERVIEWS,
        "evidence": "14 of 20 said so unasked",
        "by": "people/8",
    }
    answer: api.Need = await desk.market.ValidateNeed(api.ValidateNeedRequest(**(usual | fields)))
    return answer


async def reject(desk: Desk, name: str, **fields: Any) -> api.Need:
    """Find that a need is not there."""
    usual: dict[str, Any] = {"name": name, "reason": "2 of 20 said so", "by": "people/8"}
    answer: api.Need = await desk.market.RejectNeed(api.RejectNeedRequest(**(usual | fields)))
    return answer


async def say(
    desk: Desk, customer: str, *themes: str, sentiment: float = 0.0, **fields: Any
) -> str:
    """Have a customer (empty: unknown) say something about themes; none: nobody codes it."""
    name = (await desk.record(customer, **fields)).name
    if themes:
        await desk.code(name, *themes, sentiment=sentiment)
    return name


async def prioritise(desk: Desk, theme: str, priority: int, **fields: Any) -> api.ThemeDecision:
    """Decide how urgent a theme is."""
    usual: dict[str, Any] = {
        "theme": theme,
        "priority": priority,
        "reason": "it costs us",
        "by": "managers/maria",
    }
    request = api.PrioritiseThemeRequest(**(usual | fields))
    answer: api.ThemeDecision = await desk.market.PrioritiseTheme(request)
    return answer


async def happen(desk: Desk, category: str, *happened: Any) -> None:
    """Have things happen that others see to, on a stream of their own."""
    new = [
        NewEvent(uuid4(), each.DESCRIPTOR.full_name, each.SerializeToString()) for each in happened
    ]
    await desk.store.append(f"{category}-{uuid4()}", new, Expected.NO_STREAM)


async def led(desk: Desk, function: str, head: str) -> None:
    """Have somebody lead a function, as the customers service would."""
    event = organisation.FunctionChanged(function=function, head=head)
    new = [NewEvent(uuid4(), event.DESCRIPTOR.full_name, event.SerializeToString())]
    await desk.store.append(function.replace("s/", "-"), new, Expected.ANY)


async def deliver(desk: Desk, **fields: Any) -> api.Digest:
    """Bring what the market said before a function, which has two days to read it."""
    usual: dict[str, Any] = {"function": "functions/research"}
    if "acknowledge_by" not in fields:
        usual["acknowledge_within"] = Duration(seconds=2 * 86_400)
    answer: api.Digest = await desk.market.DeliverDigest(
        api.DeliverDigestRequest(**(usual | fields))
    )
    return answer


async def decided(
    desk: Desk, feedback: Sequence[str], needs: Sequence[str], **fields: Any
) -> api.Decision:
    """Record a decision that was changed."""
    usual: dict[str, Any] = {
        "title": "the next model",
        "leader": "managers/maria",
        "before": "a thinner case",
        "after": "a larger battery",
        "feedback": feedback,
        "needs": needs,
    }
    request = api.RecordDecisionInfluenceRequest(**(usual | fields))
    answer: api.Decision = await desk.market.RecordDecisionInfluence(request)
    return answer
