"""Insight: what feedback is about, what lies behind it, what is said twice, and the scores."""

import asyncio
from typing import Any

from equiloop.feedback.v1 import service_pb2 as api

from libs.chassis.edge import change, get
from libs.chassis.paging import Page
from libs.contract.parse import parse
from libs.kernel.money import to_message
from libs.kernel.values import timestamp
from services.feedback import resources
from services.feedback.domain import feedback, intake
from services.feedback.funnel import figures
from services.feedback.questions import AsOf, OneParent, ThemesAsked, Window
from services.feedback.resources.figures import cause_pareto, score_summary, theme_index
from services.feedback.service.means import FEEDBACK, Part
from services.feedback.stakes import worth
from services.feedback.views import duplicates

_MOST_GROUPS = 100


class Insight(Part):
    """The part of FeedbackService that sees many pieces of feedback at once."""

    async def GetThemeIndex(self, request: api.GetThemeIndexRequest, _: Any) -> api.ThemeIndex:
        """See the contract."""
        asked, page = parse(ThemesAsked, request), Page.of(request)
        question = asked.question(self.means.clock())
        history = self.means.history
        counted = await asyncio.to_thread(figures.themes, history, question, asked.coder)
        return theme_index(counted, page.size)

    async def ListDuplicates(
        self, request: api.ListDuplicatesRequest, _: Any
    ) -> api.ListDuplicatesResponse:
        """See the contract."""
        name, page = parse(OneParent, request).parent, Page.of(request)
        await get(self.means.decider, FEEDBACK, name)
        after = page.after[0] if page.after else -1
        with self.means.views.read() as db:
            size, found = duplicates.members(db, name, after=after, limit=page.size + 1)
        response = api.ListDuplicatesResponse(total_size=size)
        for item in found[: page.size]:
            duplicate = response.duplicates.add(
                feedback=item.feedback, customer=item.customer, similarity=item.similarity
            )
            duplicate.receive_time.FromMicroseconds(item.receive_time)
        if len(found) > page.size:
            response.next_page_token = page.token([found[page.size - 1].position])
        return response

    async def ListDuplicateGroups(
        self, request: api.ListDuplicateGroupsRequest, _: Any
    ) -> api.ListDuplicateGroupsResponse:
        """See the contract."""
        as_of = timestamp(parse(AsOf, request).as_of or self.means.clock())
        page = Page.of(request, default=20)
        size = min(page.size, _MOST_GROUPS)
        with self.means.views.read() as db:
            until, *key = page.after or [duplicates.newest(db)]
            after = (key[0], key[1]) if key else None
            found = duplicates.groups(db, until=until, after=after, limit=size + 1)
            shown = [
                (each, duplicates.heads(db, each.leader, until=until)) for each in found[:size]
            ]
        response = api.ListDuplicateGroupsResponse()
        everybody = set[str]().union(*(heads for _, heads in shown))
        values = await worth(self.means.valuer, everybody, as_of) if everybody else None
        for group, heads in shown:
            answer = response.groups.add(
                first=group.first, feedback_count=group.items, customer_count=len(heads)
            )
            if values is not None:
                equity = sum(values.worth.get(head, 0) for head in heads)
                answer.equity.CopyFrom(to_message(equity, values.currency))
        if len(found) > size:
            last = found[size - 1]
            response.next_page_token = page.token([until, last.items, last.leader])
        return response

    async def ClassifyCause(self, request: api.ClassifyCauseRequest, _: Any) -> api.Feedback:
        """See the contract."""
        command = parse(intake.ClassifyCause, request)
        handled = await change(self.means.decider, FEEDBACK, command, feedback.decide, request)
        return resources.feedback(handled)

    async def GetCausePareto(self, request: api.GetCauseParetoRequest, _: Any) -> api.CausePareto:
        """See the contract."""
        question = parse(Window, request).question(self.means.clock())
        return cause_pareto(await asyncio.to_thread(figures.causes, self.means.history, question))

    async def GetScores(self, request: api.GetScoresRequest, _: Any) -> api.ScoreSummary:
        """See the contract."""
        question = parse(Window, request).question(self.means.clock())
        return score_summary(await asyncio.to_thread(figures.scores, self.means.history, question))
