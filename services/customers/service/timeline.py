"""The timeline: what happened between a customer and us."""

from typing import Any

from equiloop.customers.v1 import service_pb2 as api

from libs.chassis.edge import get
from libs.chassis.paging import Page
from services.customers.service.means import CUSTOMER, Part
from services.customers.views import timeline


class Timeline(Part):
    """The part of CustomerService that tells what happened."""

    async def GetCustomerTimeline(
        self, request: api.GetCustomerTimelineRequest, _: Any
    ) -> api.GetCustomerTimelineResponse:
        """See the contract."""
        page = Page.of(request)
        after = page.after[0] if page.after else -1
        await get(self.means.decider, CUSTOMER, request.name)
        response = api.GetCustomerTimelineResponse()
        with self.means.views.read() as db:
            found = timeline.list_entries(db, request.name, after=after, limit=page.size + 1)
        for entry in found[: page.size]:
            shown = response.entries.add(
                event_type=entry.type,
                resource=entry.resource,
                summary=entry.summary,
                event_id=str(entry.event),
                position=entry.position,
            )
            shown.occur_time.FromMicroseconds(entry.time)
        if len(found) > page.size:
            response.next_page_token = page.token([found[page.size - 1].position])
        return response
