"""Functions: the parts of the organisation, who leads them, and what they answer for."""

from typing import Any

from equiloop.customers.v1 import organisation_service_pb2 as api

from libs.chassis.call import current
from libs.chassis.edge import change, get
from libs.chassis.paging import Page
from libs.contract.parse import parse
from libs.kernel.refusals import NotFound
from libs.kernel.values import id_of
from services.customers import resources
from services.customers.domain import function
from services.customers.questions import FunctionsAsked, OneFunction
from services.customers.service.means import FUNCTION, Part
from services.customers.service.upwards import functions_above
from services.customers.views import organisation


class Functions(Part):
    """The part of OrganisationService that knows functions."""

    async def RegisterFunction(self, request: api.RegisterFunctionRequest, _: Any) -> api.Function:
        """See the contract."""
        command = parse(function.RegisterFunction, request)
        async with self.means.placing:
            placed = command.model_copy(update={"above": await self._line(command.parent)})
            handled = await self.means.decider.handle(
                FUNCTION,
                command.function_id,
                lambda state, now: function.decide(placed, state, now),
                current().request(request),
                new=True,
            )
        current().wrote(handled.position)
        self.means.functions.add(command.function_id)
        return resources.function(handled)

    async def UpdateFunction(self, request: api.UpdateFunctionRequest, _: Any) -> api.Function:
        """See the contract."""
        command = parse(function.UpdateFunction, request)
        async with self.means.placing:
            placed = command.model_copy(update={"above": await self._line(command.parent)})
            handled = await change(self.means.decider, FUNCTION, placed, function.decide, request)
        return resources.function(handled)

    async def _line(self, parent: str | None) -> tuple[str, ...]:
        """Answer ``parent`` and what stands above it, from the log itself."""
        if parent is None:
            return ()
        if not await self.means.functions.has(id_of(parent)):
            raise NotFound(parent, "parent")
        return (parent, *await functions_above(self.means.decider, parent))

    async def GetFunction(self, request: api.GetFunctionRequest, _: Any) -> api.Function:
        """See the contract."""
        name = parse(OneFunction, request).name
        return resources.function(await get(self.means.decider, FUNCTION, name))

    async def ListFunctions(
        self, request: api.ListFunctionsRequest, _: Any
    ) -> api.ListFunctionsResponse:
        """See the contract."""
        asked, page = parse(FunctionsAsked, request), Page.of(request)
        with self.means.views.read() as db:
            found = organisation.list_functions(
                db,
                after=page.after[0] if page.after else "",
                limit=page.size + 1,
                parent=asked.parent or "",
                head=asked.head or "",
            )
        shown = found[: page.size]
        items = [await get(self.means.decider, FUNCTION, name) for name in shown]
        more = page.token([shown[-1]]) if len(found) > page.size else ""
        return api.ListFunctionsResponse(
            functions=map(resources.function, items), next_page_token=more
        )

    async def GetFunctionRegistry(
        self, _: api.GetFunctionRegistryRequest, __: Any
    ) -> api.FunctionRegistry:
        """See the contract."""
        with self.means.views.read() as db:
            return api.FunctionRegistry(
                function_count=organisation.count_functions(db),
                functions_without_head=organisation.without_head(db),
                unowned_journey_fragments=organisation.fragments(db, owners="= 0"),
                shared_journey_fragments=organisation.fragments(db, owners="> 1"),
            )
