"""Who may commit the organisation to what it costs: asked of the customers service, each time."""

from typing import Protocol

import grpc
from equiloop.customers.v1 import organisation_service_pb2 as api
from equiloop.customers.v1.organisation_service_pb2_grpc import OrganisationServiceStub
from equiloop.feedback.v1 import events_pb2 as events

from libs.chassis.call import current
from libs.chassis.client import TIMEOUT
from libs.kernel.money import Money
from libs.kernel.refusals import NotFound
from services.feedback.domain.promise import Authority


class Organisation(Protocol):
    """Somebody who knows who may decide what."""

    async def authority(self, manager: str, function: str, kind: int, cost: Money) -> Authority:
        """Answer whether ``manager`` may commit ``function`` to an action of this kind and cost."""
        ...


class OrganisationClient:
    """Asks the customers service, which answers from the log itself.

    While it is away the question fails, and so does the call that asks: nothing is committed
    unchecked.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Ask over ``channel``."""
        self._organisation = OrganisationServiceStub(channel)

    async def authority(self, manager: str, function: str, kind: int, cost: Money) -> Authority:
        """Ask for this one decision."""
        request = api.CheckAuthorityRequest(
            manager=manager,
            function=function,
            kind=events.ActionKind.ValueType(kind),
            amount=cost.message(),
        )
        try:
            answer = await self._organisation.CheckAuthority(
                request, timeout=TIMEOUT, metadata=current().onward()
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                raise NotFound(function, "owner") from None
            raise
        return Authority(
            granted=answer.granted,
            limit=Money.model_validate(answer.limit) if answer.HasField("limit") else None,
            escalate_to=answer.escalate_to or None,
        )
