"""What tests say of the market, in few words."""

from typing import Any

from equiloop.feedback.v1 import market_events_pb2 as events
from equiloop.feedback.v1 import market_service_pb2 as api

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


async def say(desk: Desk, customer: str, *themes: str) -> str:
    """Have a customer (empty: unknown) say something about themes."""
    name = (await desk.record(customer)).name
    if themes:
        await desk.code(name, *themes)
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
