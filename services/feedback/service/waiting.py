"""Open loops: who waits to be told, listed and watched."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from equiloop.feedback.v1 import service_pb2 as api

from libs.chassis.paging import Page
from libs.contract.parse import parse
from libs.kernel.money import to_message
from libs.kernel.values import timestamp
from services.feedback import questions, resources
from services.feedback.funnel import Question, waiting
from services.feedback.service.means import Means, Part
from services.feedback.stakes import Valuation, worth
from services.feedback.views.inbox import micros
from services.feedback.views.waiting import FIRST, Narrow, Waiting, changed, open_loops
from services.feedback.watch import watch

AT_ONCE = 500
"""Open loops in one answer of a watch, at first."""


class OpenLoops(Part):
    """The part of FeedbackService that shows who waits."""

    async def ListOpenLoops(
        self, request: api.ListOpenLoopsRequest, _: Any
    ) -> api.ListOpenLoopsResponse:
        """See the contract."""
        asked, page = _narrow(parse(questions.Waiting, request)), Page.of(request)
        after = (page.after[0], page.after[1]) if page.after else FIRST
        with self.means.views.read() as db:
            found = open_loops(db, asked, after=after, limit=page.size + 1)
        shown, now = found[: page.size], timestamp(self.means.clock())
        customers = {loop.customer for loop in shown} - {""}
        values = await worth(self.means.valuer, customers, now) if customers else None
        response = api.ListOpenLoopsResponse(
            open_loops=[_priced(resources.open_loop(loop, micros(now)), values) for loop in shown],
            total_size=await _Screen(self.means, asked).count(),
        )
        if len(found) > page.size:
            response.next_page_token = page.token([shown[-1].receive_time, shown[-1].position])
        return response

    async def WatchOpenLoops(
        self, request: api.WatchOpenLoopsRequest, _: Any
    ) -> AsyncIterator[api.WatchOpenLoopsResponse]:
        """See the contract."""
        asked = parse(questions.Watched, request)
        screen = _Screen(self.means, _narrow(asked))
        async for answer in watch(screen, self.means.moved, asked.after_position):
            yield answer


@dataclass(frozen=True, slots=True)
class _Screen:
    """What somebody looks at who watches; see ``services.feedback.watch``."""

    means: Means
    asked: Narrow

    def position(self) -> int:
        return self.means.views.checkpoint() or 0

    def page(self, after: Any) -> tuple[api.WatchOpenLoopsResponse, Any]:
        with self.means.views.read() as db:
            found = open_loops(db, self.asked, after=after or FIRST, limit=AT_ONCE + 1)
        shown = found[:AT_ONCE]
        more = (shown[-1].receive_time, shown[-1].position) if len(found) > AT_ONCE else None
        return api.WatchOpenLoopsResponse(open=self._shown(shown)), more

    def changes(self, since: int) -> tuple[api.WatchOpenLoopsResponse, bool]:
        with self.means.views.read() as db:
            found = changed(db, since)
            position = self.means.views.checkpoint() or 0
        meeting = [loop for loop in found if loop.meets(self.asked)]
        answer = api.WatchOpenLoopsResponse(
            open=self._shown(meeting),
            closed=[loop.feedback for loop in found if not loop.meets(self.asked)],
            position=found[-1].changed if found else max(since, position),
        )
        return answer, bool(found)

    async def count(self) -> int:
        now = micros(timestamp(self.means.clock()))
        question = Question(
            now=now,
            channel=self.asked.channel,
            theme=self.asked.theme,
            segment=self.asked.segment,
            function=self.asked.function,
            customer=self.asked.customer,
        )
        return await asyncio.to_thread(waiting, self.means.history, question)

    def _shown(self, loops: Sequence[Waiting]) -> list[api.OpenLoop]:
        now = micros(timestamp(self.means.clock()))
        return [resources.open_loop(loop, now) for loop in loops]


def _narrow(asked: questions.Waiting) -> Narrow:
    return Narrow(
        channel=asked.channel or 0,
        theme=asked.theme or "",
        segment=asked.segment or "",
        function=asked.function or "",
        customer=asked.customer or "",
    )


def _priced(loop: api.OpenLoop, values: Valuation | None) -> api.OpenLoop:
    if values is not None and loop.customer in values.worth:
        loop.equity.CopyFrom(to_message(values.worth[loop.customer], values.currency))
    return loop
