"""Needs: seen in feedback, judged, and listed by what is at stake in them."""

from functools import partial
from typing import Any

from equiloop.feedback.v1 import market_service_pb2 as api

from libs.chassis.call import current
from libs.chassis.edge import change, get
from libs.chassis.paging import PAGE_BYTES
from libs.contract.parse import parse
from libs.kernel.values import timestamp
from services.feedback.domain import need
from services.feedback.questions.market import NeedsAsked, OneNeed
from services.feedback.resources import market as resources
from services.feedback.service.means import NEED, Part, all_known
from services.feedback.service.standings import Standings
from services.feedback.views import needs


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

    async def ListNeeds(self, request: api.ListNeedsRequest, _: Any) -> api.ListNeedsResponse:
        """See the contract."""
        asked = parse(NeedsAsked, request)
        standings = Standings(request, asked.order or 0, asked.as_of or self.means.clock())
        stakes, identified = await self.means.aside.read(
            lambda db: (needs.stakes(db, asked.state or 0), needs.positions(db, asked.state or 0))
        )
        ranked = await standings.rank(stakes, self.means.valuer)
        response = api.ListNeedsResponse(total_size=len(ranked), as_of=timestamp(standings.as_of))
        size = 0
        for stake, token in standings.page(ranked, lambda stake: identified[stake.name]):
            handled = await get(self.means.decider, NEED, stake.name)
            response.needs.append(resources.need_at_stake(handled, stake))
            response.next_page_token = token
            size += response.needs[-1].ByteSize()
            if size > PAGE_BYTES:
                break
        return response
