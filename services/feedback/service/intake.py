"""Intake: what customers say, recorded one by one or in bulk, in whichever language, by whom."""

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
from services.feedback.domain import feedback, intake
from services.feedback.questions import Narrowed, OneFeedback
from services.feedback.service.means import FEEDBACK, Means, Part
from services.feedback.views import inbox


class Intake(Part):
    """The part of FeedbackService that takes in."""

    def __init__(self, means: Means) -> None:
        """Answer by these ``means``."""
        super().__init__(means)
        check = self._unknown_authors
        self._import = Bulk(means.decider, FEEDBACK, self._item, feedback.decide, check)

    async def RecordFeedback(self, request: api.RecordFeedbackRequest, _: Any) -> api.Feedback:
        """See the contract."""
        call = current().request(request)
        command = parse(intake.RecordFeedback, request, **self._found_out(request, call))
        await self._known(command.customer)
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

    async def AttributeFeedback(
        self, request: api.AttributeFeedbackRequest, _: Any
    ) -> api.Feedback:
        """See the contract."""
        command = parse(intake.AttributeFeedback, request)
        await self._known(command.customer)
        handled = await change(self.means.decider, FEEDBACK, command, feedback.decide, request)
        return resources.feedback(handled)

    async def _known(self, customer: str | None) -> None:
        if customer and not await self.means.customers.has(id_of(customer)):
            raise NotFound(customer, "customer")

    async def _unknown_authors(
        self, commands: Sequence[intake.RecordFeedback]
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

    def _item(
        self, message: api.RecordFeedbackRequest, call: Request
    ) -> tuple[str, intake.ImportFeedback]:
        more = self._found_out(message, call)
        return id_of(more["feedback"]), parse(
            intake.ImportFeedback, message, **more, request_id=None
        )

    def _found_out(self, message: api.RecordFeedbackRequest, call: Request) -> dict[str, Any]:
        """Answer what the message does not say itself: its name, and the language of its words."""
        more: dict[str, Any] = {"feedback": _name(message, call)}
        if message.text and not message.language_code:
            language_code = self.means.languages.detect(message.text)
            if language_code:
                detector = self.means.languages.identity
                more["detected"] = intake.Detected(language_code=language_code, detector=detector)
        return more


def _name(message: api.RecordFeedbackRequest, call: Request) -> str:
    if message.source and message.source_id:
        return "feedback/" + derived_id("feedback", message.source, message.source_id)
    return "feedback/" + call.derive("feedback")
