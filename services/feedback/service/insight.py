"""Insight: what feedback is about, what lies behind it, what is said twice, and the scores."""

import asyncio
from typing import Any

from equiloop.feedback.v1 import service_pb2 as api

from libs.chassis.edge import change
from libs.chassis.paging import Page
from libs.contract.parse import parse
from services.feedback import resources
from services.feedback.domain import feedback, intake
from services.feedback.funnel import figures
from services.feedback.questions import ThemesAsked, Window
from services.feedback.resources.figures import cause_pareto, score_summary, theme_index
from services.feedback.service.means import FEEDBACK, Part


class Insight(Part):
    """The part of FeedbackService that sees many pieces of feedback at once."""

    async def GetThemeIndex(self, request: api.GetThemeIndexRequest, _: Any) -> api.ThemeIndex:
        """See the contract."""
        asked, page = parse(ThemesAsked, request), Page.of(request)
        question = asked.question(self.means.clock())
        history = self.means.history
        counted = await asyncio.to_thread(figures.themes, history, question, asked.coder)
        return theme_index(counted, page.size)

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
