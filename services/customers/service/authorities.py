"""Authority: who may decide what, up to which limit, and who above may decide more."""

from functools import partial
from typing import Any

from equiloop.customers.v1 import organisation_service_pb2 as api

from libs.chassis.call import current
from libs.chassis.paging import Page
from libs.contract.parse import parse
from libs.decider import Handled
from libs.kernel.money import Money
from libs.kernel.refusals import NotFound
from libs.kernel.values import id_of
from services.customers import resources
from services.customers.domain import manager
from services.customers.domain.manager import Decision, Manager
from services.customers.questions import AuthoritiesAsked
from services.customers.service.means import MANAGER, Part
from services.customers.service.upwards import functions_above, managers_above
from services.customers.views import organisation


class Authorities(Part):
    """The part of OrganisationService that knows who may decide."""

    async def GrantAuthority(self, request: api.GrantAuthorityRequest, _: Any) -> api.Authority:
        """See the contract."""
        call = current().request(request)
        name = f"{request.manager}/authorities/{call.derive('authority')}"
        command = parse(manager.GrantAuthority, request, authority=name)
        unknown = await self.means.functions.missing(map(id_of, command.functions))
        if unknown:
            raise NotFound(f"functions/{min(unknown)}", "functions")
        decide = partial(manager.decide, command)
        handled = await self.means.decider.handle(MANAGER, id_of(command.manager), decide, call)
        return self._answer(handled, name)

    async def RevokeAuthority(self, request: api.RevokeAuthorityRequest, _: Any) -> api.Authority:
        """See the contract."""
        command = parse(manager.RevokeAuthority, request)
        handled = await self.means.decider.handle(
            MANAGER,
            _manager(command.name),
            partial(manager.decide, command),
            current().request(request),
        )
        return self._answer(handled, command.name)

    @staticmethod
    def _answer(handled: Handled[Manager], name: str) -> api.Authority:
        current().wrote(handled.position)
        return resources.authority(handled.state.authorities[name])

    async def ListAuthorities(
        self, request: api.ListAuthoritiesRequest, _: Any
    ) -> api.ListAuthoritiesResponse:
        """See the contract."""
        asked, page = parse(AuthoritiesAsked, request), Page.of(request)
        with self.means.views.read() as db:
            found = organisation.list_authorities(
                db,
                after=page.after[0] if page.after else "",
                limit=page.size + 1,
                manager=asked.manager or "",
                function=asked.function or "",
            )
        response = api.ListAuthoritiesResponse()
        for name in found[: page.size]:
            handled = await self.means.decider.load(MANAGER, _manager(name))
            if handled is not None:
                response.authorities.append(resources.authority(handled.state.authorities[name]))
        if len(found) > page.size:
            response.next_page_token = page.token([found[page.size - 1]])
        return response

    async def CheckAuthority(
        self, request: api.CheckAuthorityRequest, _: Any
    ) -> api.CheckAuthorityResponse:
        """See the contract."""
        asked = parse(Decision, request)
        if not await self.means.functions.has(id_of(asked.function)):
            raise NotFound(asked.function, "function")
        above = await functions_above(self.means.decider, asked.function)
        scope = frozenset({asked.function, *above})

        async def limit(name: str) -> Money | None:
            handled = await self.means.decider.load(MANAGER, id_of(name))
            state = handled.state if handled else manager.INITIAL
            return state.limit(scope, asked.kind, asked.amount.currency_code)

        own = await limit(asked.manager)
        answer = api.CheckAuthorityResponse(limit=own.message() if own else None)
        if own and asked.amount.minor <= own.minor:
            answer.granted = True
            return answer
        for name in await managers_above(self.means.decider, asked.manager):
            theirs = await limit(name)
            if theirs and asked.amount.minor <= theirs.minor:
                answer.escalate_to = name
                break
        return answer


def _manager(authority: str) -> str:
    """Answer the id of the manager in the name of an authority."""
    return authority.split("/")[1]
