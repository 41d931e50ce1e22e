"""Intake: what customers say, recorded one by one or in bulk, in whichever language, by whom."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from equiloop.feedback.v1 import service_pb2 as api

from libs.chassis.call import current
from libs.chassis.edge import change, get
from libs.chassis.importing import TURN, Bulk, Outcome, Tally, take_stream
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

    async def RecordFeedback(self, request: api.RecordFeedbackRequest, _: Any) -> api.Feedback:
        """See the contract."""
        call = current().request(request)
        more = _found_out(request, call, self._detected(request))
        command = parse(intake.RecordFeedback, request, **more)
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

    async def _import(self, items: Sequence[Any]) -> Sequence[Outcome]:
        """Import the items of one message.

        Their languages are found out one after the other: what that looks at stays at hand, and
        it takes a third of the time.
        """
        found = list[intake.Detected | None]()
        for start in range(0, len(items), TURN):
            found += map(self._detected, items[start : start + TURN])
            await asyncio.sleep(0)
        detected = iter(found)

        def item(
            message: api.RecordFeedbackRequest, call: Request
        ) -> tuple[str, intake.ImportFeedback]:
            more = _found_out(message, call, next(detected))
            command = parse(intake.ImportFeedback, message, **more, request_id=None)
            return id_of(command.feedback), command

        check = self._unknown_authors
        bulk = Bulk(self.means.decider, FEEDBACK, item, feedback.decide, check)
        return await bulk(items)

    def _detected(self, message: api.RecordFeedbackRequest) -> intake.Detected | None:
        """Answer the language of what is said, where the message does not name it."""
        languages = self.means.languages
        if message.language_code or not message.text:
            return None
        found = languages.detect(message.text)
        return intake.Detected(language_code=found, detector=languages.identity) if found else None


def _found_out(
    message: api.RecordFeedbackRequest, call: Request, detected: intake.Detected | None
) -> dict[str, Any]:
    """Answer what the message does not say itself: its name, and the language of its words."""
    name = {"feedback": _name(message, call)}
    return {**name, "detected": detected} if detected else name


def _name(message: api.RecordFeedbackRequest, call: Request) -> str:
    if message.source and message.source_id:
        return "feedback/" + derived_id("feedback", message.source, message.source_id)
    return "feedback/" + call.derive("feedback")
