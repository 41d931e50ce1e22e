"""Who works here, who may decide what, and by which rules words find their way."""

from collections.abc import Callable
from typing import Any

from equiloop.customers.v1 import organisation_service_pb2 as organisation
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import routing_events_pb2 as routing_events
from equiloop.feedback.v1 import routing_service_pb2 as routing
from equiloop.feedback.v1 import service_pb2 as feedback

from deploy.demo.gateway import Gateway, request_id
from libs.kernel.money import to_message

HEAD, DIRECTOR = "managers/maria", "managers/otto"
"""Who leads every function here, and to whom she reports."""

_LIMITS = {HEAD: 10_000_00, DIRECTOR: 1_000_000_00}
"""What each may decide, in cents."""

WORDS = {
    "battery": "battery batteries charge charger",
    "camera": "camera cameras lens zoom flash photos pictures photo picture",
    "display": "screen display lcd viewfinder",
    "ease-of-use": "easy easily simple intuitive manual menu menus interface confusing",
    "phone": "phone phones nokia reception speakerphone ringtones",
    "player": "player dvd dvds disc discs ipod nomad jukebox mp3",
    "price": "price money cheap expensive cost worth value dollars",
    "quality": "quality broke broken defective died froze junk reliable durable",
    "service": "service support warranty refund return returned replacement",
    "software": "software windows driver drivers computer usb transfer",
    "sound": "sound music audio volume headphones songs song",
    "storage": "memory storage card gb mb drive capacity",
}
"""The organisation's rules: a theme is named where one of these words is."""

OWNERS = {
    "battery": "research",
    "camera": "research",
    "display": "research",
    "ease-of-use": "product",
    "phone": "product",
    "player": "product",
    "price": "sales",
    "quality": "service",
    "service": "service",
    "software": "research",
    "sound": "product",
    "storage": "product",
}
"""Which function hears of which theme."""

FUNCTIONS = sorted(set(OWNERS.values()))
STEPS = len(FUNCTIONS) + len(_LIMITS) + 3


async def organise(gateway: Gateway, advance: Callable[[int], object]) -> None:
    """Register functions and authority; set the rules for themes and for routes."""

    async def send(call: Any) -> None:
        await gateway.send(call)
        advance(1)

    for name in FUNCTIONS:
        function = organisation.RegisterFunctionRequest(
            function_id=name, head=HEAD, request_id=request_id("function", name)
        )
        await send(gateway.organisation.RegisterFunction(function))
    line = organisation.SetReportingLineRequest(
        manager=HEAD, reports_to=DIRECTOR, request_id=request_id("line")
    )
    await send(gateway.organisation.SetReportingLine(line))
    for manager, cents in _LIMITS.items():
        authority = organisation.GrantAuthorityRequest(
            manager=manager,
            limit=to_message(cents, "USD"),
            request_id=request_id("authority", manager),
        )
        await send(gateway.organisation.GrantAuthority(authority))
    themes = feedback.SetThemeRulesRequest(
        name="themeRules/default",
        rules=[events.ThemeRule(theme=theme, any=words.split()) for theme, words in WORDS.items()],
        by=HEAD,
        request_id=request_id("theme rules"),
    )
    await send(gateway.feedback.SetThemeRules(themes))
    routes = routing.SetRoutingRulesRequest(
        rules=[
            routing_events.RoutingRule(theme=theme, function=f"functions/{name}")
            for theme, name in OWNERS.items()
        ],
        by=HEAD,
        request_id=request_id("routing rules"),
    )
    await send(gateway.routing.SetRoutingRules(routes))
