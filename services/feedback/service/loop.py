"""The end of the loop: who was told, and what he says to it."""

import asyncio
from collections.abc import Iterable
from typing import Any

from equiloop.feedback.v1 import service_pb2 as api
from google.protobuf.message import Message

from libs.chassis.edge import change, get
from libs.contract.parse import parse
from libs.kernel.values import id_of
from services.feedback import resources
from services.feedback.domain import loop
from services.feedback.service.means import ACTION, FEEDBACK, Part

_AT_ONCE = 32


class Loop(Part):
    """The part of FeedbackService that tells, and listens to the answer."""

    async def CloseLoop(self, request: api.CloseLoopRequest, _: Any) -> api.Action:
        """See the contract."""
        command = parse(loop.CloseLoop, request)
        action = (await get(self.means.decider, ACTION, command.name)).state
        waiting = action.feedback.keys() - action.told.keys()
        authors = await self._authors(command.feedback or waiting)
        return await self._loop(command.model_copy(update={"authors": authors}), request)

    async def ConfirmLoop(self, request: api.ConfirmLoopRequest, _: Any) -> api.Action:
        """See the contract."""
        command = parse(loop.ConfirmLoop, request)
        authors = await self._authors([command.feedback])
        update = {"author": authors[command.feedback]}
        return await self._loop(command.model_copy(update=update), request)

    async def ProtestLoop(self, request: api.ProtestLoopRequest, _: Any) -> api.Action:
        """See the contract."""
        command = parse(loop.ProtestLoop, request)
        authors = await self._authors([command.feedback])
        update = {"author": authors[command.feedback]}
        return await self._loop(command.model_copy(update=update), request)

    async def _loop(self, command: Any, request: Message) -> api.Action:
        handled = await change(self.means.decider, ACTION, command, loop.decide, request)
        return resources.action(handled)

    async def _authors(self, names: Iterable[str]) -> dict[str, str]:
        """Answer who said which feedback, as the log has it now; empty: unknown."""
        asked, authors = sorted(names), dict[str, str]()
        for start in range(0, len(asked), _AT_ONCE):
            some = asked[start : start + _AT_ONCE]
            load = self.means.decider.load
            found = await asyncio.gather(*(load(FEEDBACK, id_of(name)) for name in some))
            for name, handled in zip(some, found, strict=True):
                authors[name] = "" if handled is None else handled.state.customer
        return authors
