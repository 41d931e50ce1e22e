"""Reporting lines: who reports to whom, up to the top."""

from typing import Any

from equiloop.customers.v1 import organisation_service_pb2 as api

from libs.chassis.edge import change
from libs.contract.parse import parse
from libs.kernel.refusals import NotFound
from libs.kernel.values import id_of
from services.customers import resources
from services.customers.domain import manager
from services.customers.questions import OneManager
from services.customers.service.means import MANAGER, Part
from services.customers.service.upwards import managers_above


class Lines(Part):
    """The part of OrganisationService that knows who reports to whom."""

    async def SetReportingLine(
        self, request: api.SetReportingLineRequest, _: Any
    ) -> api.ReportingLine:
        """See the contract."""
        command, decider = parse(manager.SetReportingLine, request), self.means.decider
        if command.function and not await self.means.functions.has(id_of(command.function)):
            raise NotFound(command.function, "function")
        async with self.means.placing:
            boss = command.reports_to
            above = (boss, *await managers_above(decider, boss)) if boss else ()
            placed = command.model_copy(update={"above": above})
            handled = await change(decider, MANAGER, placed, manager.decide, request)
        return resources.reporting_line(
            command.manager, handled, await managers_above(decider, command.manager)
        )

    async def GetReportingLine(
        self, request: api.GetReportingLineRequest, _: Any
    ) -> api.ReportingLine:
        """See the contract."""
        name = parse(OneManager, request).manager
        handled = await self.means.decider.load(MANAGER, id_of(name))
        above = await managers_above(self.means.decider, name)
        return resources.reporting_line(name, handled, above)
