"""Questions to the loop as a whole: how much feedback turned into action, and what still waits."""

import asyncio
from typing import Any

from equiloop.feedback.v1 import service_pb2 as api

from libs.chassis.edge import get
from libs.chassis.paging import Page
from libs.contract.parse import parse
from libs.kernel.values import timestamp
from services.feedback import resources
from services.feedback.funnel import count
from services.feedback.questions import AsOf, Narrowed, OneFeedback, Window
from services.feedback.ranking import rank
from services.feedback.service.means import ACTION, FEEDBACK, Part
from services.feedback.trace import trace
from services.feedback.views import inbox, loops


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

    async def ListOpenLoops(
        self, request: api.ListOpenLoopsRequest, _: Any
    ) -> api.ListOpenLoopsResponse:
        """See the contract."""
        theme = parse(Narrowed, request).theme or ""
        page, now = Page.of(request), inbox.micros(timestamp(self.means.clock()))
        after = (page.after[0], page.after[1]) if page.after else (-(1 << 62), 0)
        response = api.ListOpenLoopsResponse()
        with self.means.views.read() as db:
            found = loops.open_loops(db, after=after, limit=page.size + 1, theme=theme)
            response.total_size = loops.count_open(db, theme)
            for item in found[: page.size]:
                loop = response.open_loops.add(
                    feedback=item.feedback,
                    customer=item.customer,
                    age=resources.duration(max(now - item.receive_time, 0)),
                    themes=item.themes,
                    actions=loops.actions_of(db, item.feedback),
                )
                loop.receive_time.FromMicroseconds(item.receive_time)
        if len(found) > page.size:
            last = found[page.size - 1]
            response.next_page_token = page.token([last.receive_time, last.position])
        return response

    async def RankThemes(self, request: api.RankThemesRequest, _: Any) -> api.RankThemesResponse:
        """See the contract."""
        as_of = timestamp(parse(AsOf, request).as_of or self.means.clock())
        page = Page.of(request, default=20)
        with self.means.views.read() as db:
            stakes = loops.stakes(db)
        ranked = await rank(stakes, self.means.valuer, as_of)
        return api.RankThemesResponse(
            themes=map(resources.theme_at_stake, ranked[: page.size]), as_of=as_of
        )

    async def TraceFeedback(self, request: api.TraceFeedbackRequest, _: Any) -> api.FeedbackTrace:
        """See the contract."""
        item = await get(self.means.decider, FEEDBACK, parse(OneFeedback, request).name)
        with self.means.views.read() as db:
            names = loops.actions_of(db, request.name)
        linked = [await get(self.means.decider, ACTION, name) for name in names]
        return api.FeedbackTrace(
            feedback=resources.feedback(item),
            actions=map(resources.action, linked),
            told=any(request.name in action.state.told for action in linked),
            steps=await trace(self.means.store, request.name, names),
        )
