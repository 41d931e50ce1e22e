"""Needs: seen in feedback, judged, and listed by what is at stake in them."""

from functools import partial
from typing import Any

from equiloop.feedback.v1 import market_service_pb2 as api

from libs.chassis.call import current
from libs.chassis.edge import change, get
from libs.contract.parse import parse
from services.feedback.domain import need
from services.feedback.questions import OneNeed
from services.feedback.resources import market as resources
from services.feedback.service.means import NEED, Part, all_known


class Needs(Part):
    """The part of MarketService that knows what customers want."""

    async def IdentifyNeed(self, request: api.IdentifyNeedRequest, _: Any) -> api.Need:
        """See the contract."""
        call = current().request(request)
        key = call.derive("need")
        command = parse(need.IdentifyNeed, request, need=f"needs/{key}")
        await all_known(self.means.feedback, "feedback", command.feedback)
        decide = partial(need.decide, command)
        handled = await self.means.decider.handle(NEED, key, decide, call, new=True)
        current().wrote(handled.position)
        return resources.need(handled)

    async def AddNeedEvidence(self, request: api.AddNeedEvidenceRequest, _: Any) -> api.Need:
        """See the contract."""
        command = parse(need.AddNeedEvidence, request)
        await all_known(self.means.feedback, "feedback", command.feedback)
        handled = await change(self.means.decider, NEED, command, need.decide, request)
        return resources.need(handled)

    async def ValidateNeed(self, request: api.ValidateNeedRequest, _: Any) -> api.Need:
        """See the contract."""
        command = parse(need.ValidateNeed, request)
        handled = await change(self.means.decider, NEED, command, need.decide, request)
        return resources.need(handled)

    async def RejectNeed(self, request: api.RejectNeedRequest, _: Any) -> api.Need:
        """See the contract."""
        command = parse(need.RejectNeed, request)
        handled = await change(self.means.decider, NEED, command, need.decide, request)
        return resources.need(handled)

    async def GetNeed(self, request: api.GetNeedRequest, _: Any) -> api.Need:
        """See the contract."""
        return resources.need(await get(self.means.decider, NEED, parse(OneNeed, request).name))
