"""Intake: what customers say, recorded one by one or in bulk, and what it is about."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from equiloop.feedback.v1 import service_pb2 as api

from libs.chassis.call import current
from libs.chassis.edge import change, get
from libs.chassis.importing import Bulk, Tally, take_stream
from libs.chassis.paging import PAGE_BYTES, Page
from libs.contract.parse import parse
from libs.decider import Request
from libs.kernel.refusals import NotFound, Refusal
from libs.kernel.values import derived_id, id_of
from services.feedback import resources
from services.feedback.domain import feedback
from services.feedback.questions import Narrowed, OneFeedback
from services.feedback.service.means import FEEDBACK, Means, Part
from services.feedback.views import inbox


class Intake(Part):
    """The part of FeedbackService that takes in."""

    def __init__(self, means: Means) -> None:
        """Answer by these ``means``."""
        super().__init__(means)
        self._import = Bulk(means.decider, FEEDBACK, _item, feedback.decide, self._unknown_authors)

    async def RecordFeedback(self, request: api.RecordFeedbackRequest, _: Any) -> api.Feedback:
        """See the contract."""
        call = current().request(request)
        command = parse(feedback.RecordFeedback, request, feedback=_name(request, call))
        if command.customer and not await self.means.customers.has(id_of(command.customer)):
            raise NotFound(command.customer, "customer")
        decide = partial(feedback.decide, command)
        key = id_of(command.feedback)
        handled = await self.means.decider.handle(FEEDBACK, key, decide, call, new=True)
        current().wrote(handled.position)
        self.means.feedback.add(key)
        return resources.feedback(handled)

    async def ImportFeedback(
        self, request: api.ImportFeedbackRequest, _: Any
    ) -> api.ImportFeedbackResponse:
        """See the contract."""
        tally = Tally()
        await tally.take("feedback", request.feedback, self._import)
        return tally.fill(api.ImportFeedbackResponse(), api.ImportError)

    async def ImportFeedbackStream(
        self, requests: AsyncIterator[api.ImportFeedbackRequest], _: Any
    ) -> api.ImportFeedbackResponse:
        """See the contract."""
        tally = Tally()
        await take_stream(tally, "feedback", requests, self._import)
        return tally.fill(api.ImportFeedbackResponse(), api.ImportError)

    async def _unknown_authors(
        self, commands: Sequence[feedback.RecordFeedback]
    ) -> list[Refusal | None]:
        named = [id_of(command.customer) for command in commands if command.customer]
        unknown = await self.means.customers.missing(named)
        return [
            NotFound(command.customer, "customer")
            if command.customer and id_of(command.customer) in unknown
            else None
            for command in commands
        ]

    async def GetFeedback(self, request: api.GetFeedbackRequest, _: Any) -> api.Feedback:
        """See the contract."""
        return resources.feedback(
            await get(self.means.decider, FEEDBACK, parse(OneFeedback, request).name)
        )

    async def ListFeedback(
        self, request: api.ListFeedbackRequest, _: Any
    ) -> api.ListFeedbackResponse:
        """See the contract."""
        asked, page = parse(Narrowed, request), Page.of(request)
        with self.means.views.read() as db:
            found = inbox.list_names(
                db,
                after=page.after[0] if page.after else 0,
                limit=page.size + 1,
                customer=asked.customer or "",
                theme=asked.theme or "",
                channel=asked.channel or 0,
            )
        response, size = api.ListFeedbackResponse(), 0
        for shown, (_, name) in enumerate(found):
            if shown == page.size or size > PAGE_BYTES:
                response.next_page_token = page.token([found[shown - 1][0]])
                break
            item = resources.feedback(await get(self.means.decider, FEEDBACK, name))
            response.feedback.append(item)
            size += item.ByteSize()
        return response

    async def CodeFeedback(self, request: api.CodeFeedbackRequest, _: Any) -> api.Feedback:
        """See the contract."""
        command = parse(feedback.CodeFeedback, request)
        handled = await change(self.means.decider, FEEDBACK, command, feedback.decide, request)
        return resources.feedback(handled)


def _name(message: api.RecordFeedbackRequest, call: Request) -> str:
    if message.source and message.source_id:
        return "feedback/" + derived_id("feedback", message.source, message.source_id)
    return "feedback/" + call.derive("feedback")


def _item(message: api.RecordFeedbackRequest, call: Request) -> tuple[str, feedback.ImportFeedback]:
    name = _name(message, call)
    return id_of(name), parse(feedback.ImportFeedback, message, feedback=name, request_id=None)
