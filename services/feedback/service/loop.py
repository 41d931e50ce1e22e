"""The loop: what is promised because of feedback, what became of it, and who was told."""

from functools import partial
from typing import Any

from equiloop.feedback.v1 import service_pb2 as api

from libs.chassis.call import current
from libs.chassis.edge import change, get
from libs.contract.parse import parse
from services.feedback import resources
from services.feedback.domain import action
from services.feedback.questions import OneAction
from services.feedback.service.means import ACTION, Part, all_known


class Loop(Part):
    """The part of FeedbackService that acts and tells."""

    async def CommitAction(self, request: api.CommitActionRequest, _: Any) -> api.Action:
        """See the contract."""
        call = current().request(request)
        key = call.derive("action")
        command = parse(action.CommitAction, request, action=f"actions/{key}")
        await all_known(self.means.feedback, "feedback", command.feedback)
        await all_known(self.means.needs, "needs", command.needs)
        decide = partial(action.decide, command)
        handled = await self.means.decider.handle(ACTION, key, decide, call, new=True)
        current().wrote(handled.position)
        return resources.action(handled)

    async def CompleteAction(self, request: api.CompleteActionRequest, _: Any) -> api.Action:
        """See the contract."""
        command = parse(action.CompleteAction, request)
        handled = await change(self.means.decider, ACTION, command, action.decide, request)
        return resources.action(handled)

    async def DeclineAction(self, request: api.DeclineActionRequest, _: Any) -> api.Action:
        """See the contract."""
        command = parse(action.DeclineAction, request)
        handled = await change(self.means.decider, ACTION, command, action.decide, request)
        return resources.action(handled)

    async def CloseLoop(self, request: api.CloseLoopRequest, _: Any) -> api.Action:
        """See the contract."""
        command = parse(action.CloseLoop, request)
        handled = await change(self.means.decider, ACTION, command, action.decide, request)
        return resources.action(handled)

    async def GetAction(self, request: api.GetActionRequest, _: Any) -> api.Action:
        """See the contract."""
        return resources.action(
            await get(self.means.decider, ACTION, parse(OneAction, request).name)
        )
