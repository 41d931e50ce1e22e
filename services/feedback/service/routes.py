"""Routes: who holds feedback, whether that is the right place, and where it goes by its themes."""

from typing import Any

from equiloop.feedback.v1 import routing_service_pb2 as api
from google.protobuf.message import Message

from libs.chassis.edge import change
from libs.contract.parse import parse
from libs.kernel.refusals import NotFound
from libs.kernel.values import id_of
from services.feedback.domain import route, rules
from services.feedback.questions import OneFeedback
from services.feedback.resources import routing as resources
from services.feedback.service.means import ROUTE, RULES, Part, all_known


class Routes(Part):
    """The part of RoutingService that brings feedback to the right person."""

    async def RouteFeedback(self, request: api.RouteFeedbackRequest, _: Any) -> api.Route:
        """See the contract."""
        command = parse(route.RouteFeedback, request)
        await all_known(self.means.functions, "function", [command.function])
        return await self._change(command, request)

    async def AcceptRoute(self, request: api.AcceptRouteRequest, _: Any) -> api.Route:
        """See the contract."""
        return await self._change(parse(route.AcceptRoute, request), request)

    async def ReturnRoute(self, request: api.ReturnRouteRequest, _: Any) -> api.Route:
        """See the contract."""
        return await self._change(parse(route.ReturnRoute, request), request)

    async def _change(
        self,
        command: route.RouteFeedback | route.AcceptRoute | route.ReturnRoute,
        request: Message,
    ) -> api.Route:
        await self._there(command.name)
        handled = await change(self.means.decider, ROUTE, command, route.decide, request)
        return resources.route(command.name, handled)

    async def GetRoute(self, request: api.GetRouteRequest, _: Any) -> api.Route:
        """See the contract."""
        name = parse(OneFeedback, request).name
        await self._there(name)
        return resources.route(name, await self.means.decider.load(ROUTE, id_of(name)))

    async def _there(self, name: str) -> None:
        if not await self.means.feedback.has(id_of(name)):
            raise NotFound(name)

    async def SetRoutingRules(
        self, request: api.SetRoutingRulesRequest, _: Any
    ) -> api.RoutingRules:
        """See the contract."""
        command = parse(rules.SetRoutingRules, request)
        named = [rule.function for rule in command.rules]
        await all_known(self.means.functions, "rules", named)
        handled = await change(self.means.decider, RULES, command, rules.decide, request)
        return resources.rules(handled)

    async def GetRoutingRules(self, _: api.GetRoutingRulesRequest, __: Any) -> api.RoutingRules:
        """See the contract."""
        return resources.rules(await self.means.decider.load(RULES, id_of(rules.NAME)))
