"""Questions to the loop as a whole: how much feedback turned into action, what is at stake."""

import asyncio
from typing import Any

from equiloop.feedback.v1 import service_pb2 as api

from libs.chassis.paging import Page
from libs.contract.parse import parse
from libs.kernel.values import timestamp
from services.feedback import resources
from services.feedback.funnel import count
from services.feedback.questions import AsOf, Window
from services.feedback.ranking import rank
from services.feedback.service.means import Part
from services.feedback.views import loops


class Funnel(Part):
    """The part of FeedbackService that sees the way from word to told."""

    async def GetFeedbackToAction(
        self, request: api.GetFeedbackToActionRequest, _: Any
    ) -> api.FeedbackToAction:
        """See the contract."""
        asked, now = parse(Window, request), self.means.clock()
        counted = await asyncio.to_thread(count, self.means.history, asked.question(now))
        answer = resources.feedback_to_action(counted)
        if request.HasField("start_time"):
            answer.start_time.CopyFrom(request.start_time)
        if request.HasField("end_time"):
            answer.end_time.CopyFrom(request.end_time)
        answer.as_of.CopyFrom(timestamp(asked.as_of or now))
        return answer

    async def RankThemes(self, request: api.RankThemesRequest, _: Any) -> api.RankThemesResponse:
        """See the contract."""
        as_of = timestamp(parse(AsOf, request).as_of or self.means.clock())
        page = Page.of(request, default=20)
        stakes = await self.means.aside.read(loops.stakes)
        ranked = await rank(stakes, self.means.valuer, as_of)
        return api.RankThemesResponse(
            themes=map(resources.theme_at_stake, ranked[: page.size]), as_of=as_of
        )
