"""Promises: what is committed to because of feedback, within whose authority, and how it ends."""

from functools import partial
from typing import Any

from equiloop.feedback.v1 import service_pb2 as api
from google.protobuf.message import Message

from libs.chassis.call import current
from libs.chassis.edge import change, get
from libs.contract.parse import parse
from libs.kernel.money import Money
from services.feedback import resources
from services.feedback.domain import promise
from services.feedback.questions import OneAction
from services.feedback.service.means import ACTION, Part, all_known


class Promises(Part):
    """The part of FeedbackService that acts."""

    async def CommitAction(self, request: api.CommitActionRequest, _: Any) -> api.Action:
        """See the contract."""
        call = current().request(request)
        key = call.derive("action")
        command = parse(promise.CommitAction, request, action=f"actions/{key}")
        await all_known(self.means.functions, "owner", [command.owner])
        await all_known(self.means.feedback, "feedback", command.feedback)
        await all_known(self.means.needs, "needs", command.needs)
        await all_known(self.means.offers, "offer", [command.offer] if command.offer else [])
        if command.cost is not None and command.committed_by is not None:
            authority = await self.means.organisation.authority(
                command.committed_by, command.owner, command.kind, command.cost
            )
            command = command.model_copy(update={"authority": authority})
        decide = partial(promise.decide, command)
        handled = await self.means.decider.handle(ACTION, key, decide, call, new=True)
        current().wrote(handled.position)
        return resources.action(handled)

    async def ApproveAction(self, request: api.ApproveActionRequest, _: Any) -> api.Action:
        """See the contract."""
        command = parse(promise.ApproveAction, request)
        escalated = (await get(self.means.decider, ACTION, command.name)).state.escalated
        if escalated is not None:
            authority = await self.means.organisation.authority(
                command.approved_by,
                escalated.owner,
                escalated.kind,
                Money.model_validate(escalated.cost),
            )
            command = command.model_copy(update={"authority": authority})
        return await self._promise(command, request)

    async def LinkFeedback(self, request: api.LinkFeedbackRequest, _: Any) -> api.Action:
        """See the contract."""
        command = parse(promise.LinkFeedback, request)
        await all_known(self.means.feedback, "feedback", command.feedback)
        await all_known(self.means.needs, "needs", command.needs)
        return await self._promise(command, request)

    async def CompleteAction(self, request: api.CompleteActionRequest, _: Any) -> api.Action:
        """See the contract."""
        return await self._promise(parse(promise.CompleteAction, request), request)

    async def DeclineAction(self, request: api.DeclineActionRequest, _: Any) -> api.Action:
        """See the contract."""
        return await self._promise(parse(promise.DeclineAction, request), request)

    async def ReopenAction(self, request: api.ReopenActionRequest, _: Any) -> api.Action:
        """See the contract."""
        return await self._promise(parse(promise.ReopenAction, request), request)

    async def _promise(self, command: Any, request: Message) -> api.Action:
        handled = await change(self.means.decider, ACTION, command, promise.decide, request)
        return resources.action(handled)

    async def GetAction(self, request: api.GetActionRequest, _: Any) -> api.Action:
        """See the contract."""
        return resources.action(
            await get(self.means.decider, ACTION, parse(OneAction, request).name)
        )
