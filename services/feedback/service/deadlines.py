"""Deadlines: by when feedback is accepted and customers told, and whether that was kept."""

from functools import partial
from typing import Any

from equiloop.feedback.v1 import routing_service_pb2 as api

from libs.chassis.edge import change, get
from libs.chassis.paging import Page
from libs.contract.parse import parse
from libs.kernel.values import timestamp
from services.feedback.domain import sla
from services.feedback.questions import Inbox, Span, SpanOfPromises, micros_or
from services.feedback.resources import duration
from services.feedback.resources import routing as resources
from services.feedback.service.means import SLA, Part
from services.feedback.views.routing import asked as inbox
from services.feedback.views.routing import report
from services.feedback.views.routing.sla import NEVER


class Deadlines(Part):
    """The part of RoutingService that knows what is due, and what was in time."""

    async def SetLoopSla(self, request: api.SetLoopSlaRequest, _: Any) -> api.LoopSla:
        """See the contract."""
        command = parse(sla.SetLoopSla, request)
        return resources.sla(await change(self.means.decider, SLA, command, sla.decide, request))

    async def WithdrawLoopSla(self, request: api.WithdrawLoopSlaRequest, _: Any) -> api.LoopSla:
        """See the contract."""
        command = parse(sla.WithdrawLoopSla, request)
        return resources.sla(await change(self.means.decider, SLA, command, sla.decide, request))

    async def ListLoopSlas(
        self, request: api.ListLoopSlasRequest, _: Any
    ) -> api.ListLoopSlasResponse:
        """See the contract."""
        page = Page.of(request)
        after = page.after[0] if page.after else ""
        with self.means.views.read() as db:
            found = report.list_slas(db, after=after, limit=page.size + 1)
        shown = found[: page.size]
        items = [await get(self.means.decider, SLA, name) for name in shown]
        more = page.token([shown[-1]]) if len(found) > page.size else ""
        return api.ListLoopSlasResponse(slas=map(resources.sla, items), next_page_token=more)

    async def ListInbox(self, request: api.ListInboxRequest, _: Any) -> api.ListInboxResponse:
        """See the contract."""
        asked, page = parse(Inbox, request), Page.of(request)
        with self.means.views.read() as db:
            found = inbox.inbox(
                db,
                asked.function or "",
                order=asked.order_by,
                after=(page.after[0], page.after[1]) if page.after else inbox.FIRST,
                limit=page.size + 1,
                accepted=asked.accepted,
                breached=asked.breached,
            )
        response = api.ListInboxResponse(items=map(resources.held, found[: page.size]))
        if len(found) > page.size:
            response.next_page_token = page.token(list(found[page.size - 1].key))
        return response

    async def GetTimeToRightPerson(
        self, request: api.GetTimeToRightPersonRequest, _: Any
    ) -> api.TimeToRightPerson:
        """See the contract."""
        asked, now = parse(Span, request), self.means.clock()
        look = partial(
            report.right_person,
            start=micros_or(asked.start_time, -NEVER),
            end=micros_or(asked.end_time, NEVER),
            function=asked.function or "",
            now=micros_or(now, NEVER),
        )
        found = await self.means.aside.read(look)
        first = found.hops.get(1, 0)
        return api.TimeToRightPerson(
            start_time=request.start_time if request.HasField("start_time") else None,
            end_time=request.end_time if request.HasField("end_time") else None,
            as_of=timestamp(now),
            received_count=found.received,
            accepted_count=found.accepted,
            hops=[api.HopCount(hops=hops, count=count) for hops, count in found.hops.items()],
            first_hop_share=first / found.accepted if found.accepted else None,
            median_time=None if found.median is None else duration(found.median),
        )

    async def GetLoopSlaReport(
        self, request: api.GetLoopSlaReportRequest, _: Any
    ) -> api.LoopSlaReport:
        """See the contract."""
        asked, now = parse(SpanOfPromises, request), self.means.clock()
        look = partial(
            report.kept,
            start=micros_or(asked.start_time, -NEVER),
            end=micros_or(asked.end_time, NEVER),
            now=micros_or(now, NEVER),
            function=asked.function or "",
            channel=asked.channel or 0,
            segment=asked.segment or "",
        )
        loops, stages = await self.means.aside.read(look)
        return api.LoopSlaReport(
            start_time=request.start_time if request.HasField("start_time") else None,
            end_time=request.end_time if request.HasField("end_time") else None,
            as_of=timestamp(now),
            loop_count=loops,
            stages=map(resources.kept, stages),
        )
