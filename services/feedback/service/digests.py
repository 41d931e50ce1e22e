"""Digests: what the market said, brought before functions, read or taken upwards."""

from typing import Any

from equiloop.feedback.v1 import market_service_pb2 as api

from libs.chassis.call import current
from libs.chassis.edge import change, get
from libs.chassis.paging import PAGE_BYTES, Page
from libs.contract.parse import parse
from libs.kernel.values import timestamp
from services.feedback.digests import DIGEST
from services.feedback.domain import digest, schedule
from services.feedback.questions import micros_or
from services.feedback.questions.market import DigestsAsked, OneDigest, OneSchedule, SpanSeen
from services.feedback.resources import market as resources
from services.feedback.service.means import SCHEDULE, Part, all_known
from services.feedback.views import digests as voice

_FUNCTIONS, _THEMES = 1000, 20


class MarketDigests(Part):
    """The part of MarketService that brings the market before functions."""

    async def DeliverDigest(self, request: api.DeliverDigestRequest, _: Any) -> api.Digest:
        """See the contract."""
        call = current().request(request)
        name = DIGEST.name(call.derive("digest"))
        command = parse(digest.DeliverDigest, request, digest=name)
        await all_known(self.means.functions, "function", [command.function])
        handled = await self.means.digests.deliver(command, call, self.means.clock())
        current().wrote(handled.position)
        return resources.digest(handled)

    async def AcknowledgeDigest(self, request: api.AcknowledgeDigestRequest, _: Any) -> api.Digest:
        """See the contract."""
        command = parse(digest.AcknowledgeDigest, request)
        handled = await change(self.means.decider, DIGEST, command, digest.decide, request)
        return resources.digest(handled)

    async def GetDigest(self, request: api.GetDigestRequest, _: Any) -> api.Digest:
        """See the contract."""
        name = parse(OneDigest, request).name
        return resources.digest(await get(self.means.decider, DIGEST, name))

    async def ListDigests(self, request: api.ListDigestsRequest, _: Any) -> api.ListDigestsResponse:
        """See the contract."""
        asked, page = parse(DigestsAsked, request), Page.of(request)
        with self.means.views.read() as db:
            found = voice.list_digests(
                db,
                after=page.after[0] if page.after else -1,
                limit=page.size + 1,
                function=asked.function or "",
                state=api.DigestState.ValueType(asked.state or 0),
            )
        response, size = api.ListDigestsResponse(), 0
        for shown, (_position, name) in enumerate(found):
            if shown == page.size or size > PAGE_BYTES:
                response.next_page_token = page.token([found[shown - 1][0]])
                break
            response.digests.append(resources.digest(await get(self.means.decider, DIGEST, name)))
            size += response.digests[-1].ByteSize()
        return response

    async def GetMarketVoice(self, request: api.GetMarketVoiceRequest, _: Any) -> api.MarketVoice:
        """See the contract."""
        asked, now = parse(SpanSeen, request), self.means.clock()
        span = {
            "start": micros_or(asked.start_time, -voice.ALWAYS),
            "end": micros_or(asked.end_time, voice.ALWAYS),
            "as_of": micros_or(asked.as_of, voice.ALWAYS),
        }
        with self.means.views.read() as db:
            found = voice.voices(db, **span, now=micros_or(now, 0), limit=_FUNCTIONS)
            heard = {
                each.function: voice.heard(db, each.function, **span, limit=_THEMES)
                for each in found
            }
        return api.MarketVoice(
            start_time=request.start_time if request.HasField("start_time") else None,
            end_time=request.end_time if request.HasField("end_time") else None,
            as_of=timestamp(asked.as_of or now),
            delivered_count=sum(each.delivered for each in found),
            acknowledged_count=sum(each.acknowledged for each in found),
            in_time_count=sum(each.in_time for each in found),
            escalated_count=sum(each.escalated for each in found),
            overdue_count=sum(each.overdue for each in found),
            functions=[resources.voice(each, heard[each.function]) for each in found],
        )

    async def SetDigestSchedule(
        self, request: api.SetDigestScheduleRequest, _: Any
    ) -> api.DigestSchedule:
        """See the contract."""
        command = parse(schedule.SetDigestSchedule, request)
        await all_known(self.means.functions, "function", [command.function])
        handled = await change(self.means.decider, SCHEDULE, command, schedule.decide, request)
        return resources.schedule(handled)

    async def WithdrawDigestSchedule(
        self, request: api.WithdrawDigestScheduleRequest, _: Any
    ) -> api.DigestSchedule:
        """See the contract."""
        command = parse(schedule.WithdrawDigestSchedule, request)
        handled = await change(self.means.decider, SCHEDULE, command, schedule.decide, request)
        return resources.schedule(handled)

    async def GetDigestSchedule(
        self, request: api.GetDigestScheduleRequest, _: Any
    ) -> api.DigestSchedule:
        """See the contract."""
        name = parse(OneSchedule, request).name
        return resources.schedule(await get(self.means.decider, SCHEDULE, name))
