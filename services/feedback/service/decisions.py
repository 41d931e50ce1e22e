"""Decisions that feedback changed: recorded, listed and counted; nobody is scored."""

from functools import partial
from typing import Any

from equiloop.feedback.v1 import market_service_pb2 as api

from libs.chassis.call import current
from libs.chassis.edge import get
from libs.chassis.paging import PAGE_BYTES, Page
from libs.contract.parse import parse
from libs.kernel.values import timestamp
from services.feedback.domain import decision
from services.feedback.questions.market import DecisionsAsked, OneDecision, SpanSeen
from services.feedback.resources import market as resources
from services.feedback.service.means import DECISION, Part, all_known
from services.feedback.views import decisions
from services.feedback.views.digests import ALWAYS
from services.feedback.views.inbox import micros

_FUNCTIONS = 1000


class Decisions(Part):
    """The part of MarketService that shows what feedback changed at the top."""

    async def RecordDecisionInfluence(
        self, request: api.RecordDecisionInfluenceRequest, _: Any
    ) -> api.Decision:
        """See the contract."""
        call = current().request(request)
        key = call.derive("decision")
        command = parse(decision.RecordDecisionInfluence, request, decision=DECISION.name(key))
        await all_known(self.means.feedback, "feedback", command.feedback)
        await all_known(self.means.needs, "needs", command.needs)
        await all_known(self.means.functions, "function", [command.function])
        decide = partial(decision.decide, command)
        handled = await self.means.decider.handle(DECISION, key, decide, call, new=True)
        current().wrote(handled.position)
        return resources.decision(handled)

    async def GetDecision(self, request: api.GetDecisionRequest, _: Any) -> api.Decision:
        """See the contract."""
        name = parse(OneDecision, request).name
        return resources.decision(await get(self.means.decider, DECISION, name))

    async def ListDecisions(
        self, request: api.ListDecisionsRequest, _: Any
    ) -> api.ListDecisionsResponse:
        """See the contract."""
        asked, page = parse(DecisionsAsked, request), Page.of(request)
        with self.means.views.read() as db:
            found = decisions.list_decisions(
                db,
                after=page.after[0] if page.after else -1,
                limit=page.size + 1,
                function=asked.function or "",
                feedback=asked.feedback or "",
            )
        response, size = api.ListDecisionsResponse(), 0
        for shown, (_position, name) in enumerate(found):
            if shown == page.size or size > PAGE_BYTES:
                response.next_page_token = page.token([found[shown - 1][0]])
                break
            handled = await get(self.means.decider, DECISION, name)
            response.decisions.append(resources.decision(handled))
            size += response.decisions[-1].ByteSize()
        return response

    async def GetLeaderListening(
        self, request: api.GetLeaderListeningRequest, _: Any
    ) -> api.LeaderListening:
        """See the contract."""
        asked = parse(SpanSeen, request)
        start, end, as_of = (
            default if instant is None else micros(timestamp(instant))
            for instant, default in (
                (asked.start_time, -ALWAYS),
                (asked.end_time, ALWAYS),
                (asked.as_of, ALWAYS),
            )
        )
        with self.means.views.read() as db:
            found = decisions.listening(db, start=start, end=end, as_of=as_of, limit=_FUNCTIONS)
        (_none, count, feedback, needs), *functions = found
        return api.LeaderListening(
            start_time=request.start_time if request.HasField("start_time") else None,
            end_time=request.end_time if request.HasField("end_time") else None,
            as_of=timestamp(asked.as_of or self.means.clock()),
            decision_count=count,
            feedback_count=feedback,
            need_count=needs,
            functions=[
                api.FunctionListening(
                    function=function, decision_count=n, feedback_count=items, need_count=wanted
                )
                for function, n, items, wanted in functions
            ],
        )
