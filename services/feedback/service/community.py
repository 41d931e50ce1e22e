"""Community: members ask, answer each other, and accept."""

from functools import partial
from typing import Any

from equiloop.feedback.v1 import community_service_pb2 as api

from libs.chassis.call import current
from libs.chassis.edge import change, get
from libs.chassis.paging import Page
from libs.contract.parse import parse
from libs.kernel.values import timestamp
from services.feedback.domain import question
from services.feedback.questions.community import OneQuestion, OpenNeedsAsked
from services.feedback.resources import community as resources
from services.feedback.resources import duration
from services.feedback.service.means import QUESTION, Part, all_known
from services.feedback.views import open_needs
from services.feedback.views.inbox import micros


class Community(Part):
    """CommunityService, all of it."""

    async def AskCommunity(self, request: api.AskCommunityRequest, _: Any) -> api.Question:
        """See the contract."""
        call = current().request(request)
        key = call.derive("question")
        command = parse(question.AskCommunity, request, question=QUESTION.name(key))
        await self._known("asker", command.asker, command.need)
        decide = partial(question.decide, command)
        handled = await self.means.decider.handle(QUESTION, key, decide, call, new=True)
        current().wrote(handled.position)
        return resources.question(handled)

    async def ShareQuestion(self, request: api.ShareQuestionRequest, _: Any) -> api.Question:
        """See the contract."""
        command = parse(question.ShareQuestion, request)
        await self._known("member", command.member)
        handled = await change(self.means.decider, QUESTION, command, question.decide, request)
        return resources.question(handled)

    async def AnswerNeed(self, request: api.AnswerNeedRequest, _: Any) -> api.Question:
        """See the contract."""
        command = parse(question.AnswerNeed, request)
        await self._known("member", command.member)
        handled = await change(self.means.decider, QUESTION, command, question.decide, request)
        return resources.question(handled)

    async def AcceptAnswer(self, request: api.AcceptAnswerRequest, _: Any) -> api.Question:
        """See the contract."""
        command = parse(question.AcceptAnswer, request)
        await self._known("member", command.member, command.need)
        handled = await change(self.means.decider, QUESTION, command, question.decide, request)
        return resources.question(handled)

    async def GetQuestion(self, request: api.GetQuestionRequest, _: Any) -> api.Question:
        """See the contract."""
        name = parse(OneQuestion, request).name
        return resources.question(await get(self.means.decider, QUESTION, name))

    async def ListOpenNeeds(
        self, request: api.ListOpenNeedsRequest, _: Any
    ) -> api.ListOpenNeedsResponse:
        """See the contract."""
        need, page = parse(OpenNeedsAsked, request).need or "", Page.of(request)
        response, now = api.ListOpenNeedsResponse(), micros(timestamp(self.means.clock()))
        with self.means.views.read() as db:
            as_of, group, position = page.after or [open_needs.seen(db), 0, -1]
            found = open_needs.open_needs(
                db, as_of=as_of, after=(group, position), limit=page.size + 1, need=need
            )
            response.total_size, response.unanswered_count = open_needs.count_open(db, need)
        for each in found[: page.size]:
            item = response.open_needs.add(
                question=each.question,
                need=each.need,
                age=duration(max(now - each.ask_time, 0)),
                head_count=each.heads,
                answer_count=each.answers,
            )
            item.ask_time.FromMicroseconds(each.ask_time)
        if len(found) > page.size:
            last = found[page.size - 1]
            response.next_page_token = page.token([as_of, last.was_answered, last.position])
        return response

    async def _known(self, field: str, member: str, need: str | None = None) -> None:
        """Refuse a customer who is not known, and a need; employees are known elsewhere."""
        if member.startswith("customers/"):
            await all_known(self.means.customers, field, [member])
        if need:
            await all_known(self.means.needs, "need", [need])
