"""Talk: what customers and we say to each other, one by one or in bulk."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from equiloop.feedback.v1 import conversation_service_pb2 as api

from libs.chassis.call import current
from libs.chassis.importing import Bulk, Tally, take_stream
from libs.contract.parse import parse
from libs.decider import Request
from libs.kernel.refusals import AlreadyExists, NotFound, Refusal
from libs.kernel.values import derived_id, id_of
from services.feedback.domain import conversation
from services.feedback.resources import talk as resources
from services.feedback.service.means import CONVERSATION, Means, Part, all_known
from services.feedback.views import conversations


class Talk(Part):
    """The part of ConversationService in which somebody speaks."""

    def __init__(self, means: Means) -> None:
        """Answer by these ``means``."""
        super().__init__(means)
        self._import = Bulk(means.decider, CONVERSATION, _item, conversation.decide, self._refused)

    async def SendMessage(self, request: api.SendMessageRequest, _: Any) -> api.ConversationTurn:
        """See the contract."""
        return await self._say(conversation.SendMessage, request)

    async def ReceiveMessage(
        self, request: api.ReceiveMessageRequest, _: Any
    ) -> api.ConversationTurn:
        """See the contract."""
        return await self._say(conversation.ReceiveMessage, request)

    async def RequestInformation(
        self, request: api.RequestInformationRequest, _: Any
    ) -> api.ConversationTurn:
        """See the contract."""
        return await self._say(conversation.RequestInformation, request)

    async def GiveInformation(
        self, request: api.GiveInformationRequest, _: Any
    ) -> api.ConversationTurn:
        """See the contract."""
        name = request.request.partition("/turns/")[0]
        return await self._say(conversation.GiveInformation, request, conversation=name)

    async def ImportMessages(
        self, request: api.ImportMessagesRequest, _: Any
    ) -> api.ImportMessagesResponse:
        """See the contract."""
        tally = Tally()
        await tally.take("messages", request.messages, self._import)
        return tally.fill(api.ImportMessagesResponse(), api.ImportMessageError)

    async def ImportMessagesStream(
        self, requests: AsyncIterator[api.ImportMessagesRequest], _: Any
    ) -> api.ImportMessagesResponse:
        """See the contract."""
        tally = Tally()
        await take_stream(tally, "messages", requests, self._import)
        return tally.fill(api.ImportMessagesResponse(), api.ImportMessageError)

    async def _say(
        self, kind: type[conversation.Said], request: Any, **more: Any
    ) -> api.ConversationTurn:
        call = current().request(request)
        where = more or _where(request, call)
        command = parse(kind, request, **where)
        await all_known(self.means.feedback, "feedback", command.feedback)
        await all_known(self.means.actions, "actions", command.actions)
        if command.customer:
            await all_known(self.means.customers, "customer", [command.customer])
        elsewhere = self._elsewhere(command)
        if elsewhere is not None:
            raise elsewhere
        key = id_of(command.conversation)
        decide = partial(conversation.decide, command)
        handled = await self.means.decider.handle(CONVERSATION, key, decide, call)
        current().wrote(handled.position)
        return await resources.turn_said(self.means.store, command, handled)

    def _elsewhere(self, command: conversation.Said) -> AlreadyExists | None:
        """Refuse a message that its system has sent into another conversation."""
        if command.source is None or command.source_id is None:
            return None
        with self.means.views.read() as db:
            found = conversations.conversation_of(db, command.source, command.source_id)
        if found in {"", command.conversation}:
            return None
        message = f"{command.source!r} has sent {command.source_id!r} before, in {found!r}"
        return AlreadyExists("SOURCE_ID_REUSED", message, conversation=found)

    async def _refused(self, commands: Sequence[conversation.Said]) -> list[Refusal | None]:
        """Answer what an import's messages name that there is not, message by message."""
        means = self.means
        asked = (
            (means.customers, "customer", [[each.customer or ""] for each in commands]),
            (means.feedback, "feedback", [each.feedback for each in commands]),
            (means.actions, "actions", [each.actions for each in commands]),
        )
        refusals: list[Refusal | None] = [self._elsewhere(command) for command in commands]
        for known, field, names in asked:
            missing = await known.missing(id_of(name) for some in names for name in some)
            for index, some in enumerate(names):
                unknown = [name for name in some if id_of(name) in missing]
                if unknown and refusals[index] is None:
                    refusals[index] = NotFound(unknown[0], field)
        return refusals


def _where(message: Any, call: Request) -> dict[str, Any]:
    """Answer which conversation a message belongs to, and whether it may be the first of it."""
    if getattr(message, "conversation", ""):
        return {"conversation": message.conversation}
    if message.source and message.thread_id:
        key = derived_id("conversation", message.source, message.thread_id)
    elif message.source and message.source_id:
        key = derived_id("conversation of one", message.source, message.source_id)
    else:
        key = call.derive("conversation")
    return {"conversation": f"conversations/{key}", "begins": True}


def _item(message: api.MessageItem, call: Request) -> tuple[str, conversation.ImportMessage]:
    where = _where(message, call)
    return id_of(where["conversation"]), parse(conversation.ImportMessage, message, **where)
