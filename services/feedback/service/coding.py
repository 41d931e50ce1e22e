"""Coding: what feedback is about and how it feels, by people and by models."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api

from libs.chassis.call import current
from libs.chassis.edge import change, get
from libs.chassis.errors import status
from libs.chassis.importing import OF_AN_ITEM
from libs.chassis.paging import Page
from libs.contract.events import CODEC
from libs.contract.parse import parse
from libs.decider import Attempt, Handled
from libs.eventstore.port import StoreError
from libs.kernel.refusals import NotFound, Refusal
from libs.kernel.values import id_of
from services.feedback import resources
from services.feedback.coding.automatic import THEME_RULES
from services.feedback.domain import feedback, theme_rules
from services.feedback.domain.feedback import Feedback, by_person
from services.feedback.domain.intake import CodeFeedback
from services.feedback.domain.theme_rules import DEFAULT, SetThemeRules
from services.feedback.questions import OneFeedback, OneParent, OneThemeRules, Window
from services.feedback.service.means import FEEDBACK, Part
from services.feedback.views import inbox

_AT_ONCE = 32


class Coding(Part):
    """The part of FeedbackService that codes, and keeps the rules for it."""

    async def CodeFeedback(self, request: api.CodeFeedbackRequest, _: Any) -> api.Feedback:
        """See the contract."""
        command = parse(CodeFeedback, request)
        handled = await change(self.means.decider, FEEDBACK, command, feedback.decide, request)
        return resources.feedback(handled)

    async def ListCodings(self, request: api.ListCodingsRequest, _: Any) -> api.ListCodingsResponse:
        """See the contract."""
        name, page = parse(OneParent, request).parent, Page.of(request)
        await get(self.means.decider, FEEDBACK, name)
        codings = []
        async for batch in self.means.store.read_stream(FEEDBACK.stream(id_of(name)), start=0):
            for recorded in batch.events:
                event = CODEC.decode(recorded)
                if isinstance(event, events.FeedbackCoded):
                    codings.append((recorded.revision, resources.coding(recorded, event)))
        before = page.after[0] if page.after else 1 << 62
        left = [(revision, coding) for revision, coding in reversed(codings) if revision < before]
        response = api.ListCodingsResponse(codings=[coding for _, coding in left[: page.size]])
        if len(left) > page.size:
            response.next_page_token = page.token([left[page.size - 1][0]])
        return response

    async def ProposeCoding(
        self, request: api.ProposeCodingRequest, _: Any
    ) -> api.ProposeCodingResponse:
        """See the contract."""
        found = await get(self.means.decider, FEEDBACK, parse(OneFeedback, request).name)
        assert found.state.received is not None
        (said,) = await self.means.automatic.code([found.state.received], anew=False)
        return api.ProposeCodingResponse(
            themes=said.themes,
            sentiment=None if said.without_sentiment else said.sentiment,
            coder=said.coder.message(),
            rules_version=said.rules_version,
        )

    async def RecodeFeedback(
        self, request: api.RecodeFeedbackRequest, _: Any
    ) -> api.RecodeFeedbackResponse:
        """See the contract."""
        asked = parse(Window, request).question(self.means.clock())
        page = Page.of(request)
        after = (page.after[0], page.after[1]) if page.after else (asked.start, -1)
        with self.means.views.read() as db:
            found = inbox.list_received(db, after=after, until=asked.end, limit=page.size + 1)
        response = api.RecodeFeedbackResponse(
            coder=self.means.coder.identity.message(),
            rules_version=(await self.means.automatic.rules()).version,
        )
        for begin in range(0, len(found[: page.size]), _AT_ONCE):
            some = [item.name for item in found[: page.size][begin : begin + _AT_ONCE]]
            response.outcomes.extend(await self._recode(some))
        response.recoded_count = sum(
            outcome.result == api.RECODE_RESULT_RECODED for outcome in response.outcomes
        )
        if len(found) > page.size:
            last = found[page.size - 1]
            response.next_page_token = page.token([last.receive_time, last.position])
        return response

    async def _recode(self, names: Sequence[str]) -> list[api.RecodeOutcome]:
        decider = self.means.decider
        loaded = await asyncio.gather(*(get(decider, FEEDBACK, name) for name in names))
        received = [each.state.received for each in loaded if each.state.received is not None]
        commands = await self.means.automatic.code(received, anew=True)
        attempts = [
            Attempt(id_of(command.name), partial(feedback.decide, command), current().item())
            for command in commands
        ]
        outcomes = await asyncio.gather(
            *(decider.attempt(FEEDBACK, attempt) for attempt in attempts)
        )
        return [_outcome(name, outcome) for name, outcome in zip(names, outcomes, strict=True)]

    async def GetThemeRules(self, request: api.GetThemeRulesRequest, _: Any) -> api.ThemeRules:
        """See the contract."""
        name = _the_one(parse(OneThemeRules, request).name)
        return resources.theme_rules(await self.means.decider.load(THEME_RULES, id_of(name)))

    async def SetThemeRules(self, request: api.SetThemeRulesRequest, _: Any) -> api.ThemeRules:
        """See the contract."""
        command = parse(SetThemeRules, request)
        _the_one(command.name)
        handled = await change(
            self.means.decider, THEME_RULES, command, theme_rules.decide, request
        )
        return resources.theme_rules(handled)


def _the_one(name: str) -> str:
    if name != DEFAULT:
        raise NotFound(name)
    return name


def _outcome(name: str, outcome: Handled[Feedback] | Refusal | StoreError) -> api.RecodeOutcome:
    if isinstance(outcome, Handled):
        current().wrote(outcome.position)
        coded = outcome.state.coded
        result = api.RECODE_RESULT_UNCHANGED
        if outcome.changed:
            result = api.RECODE_RESULT_RECODED
        elif coded is not None and by_person(coded):
            result = api.RECODE_RESULT_CODED_BY_PERSON
        return api.RecodeOutcome(feedback=name, result=result)
    if isinstance(outcome, StoreError) and not isinstance(outcome, OF_AN_ITEM):
        raise outcome
    failed = api.RECODE_RESULT_FAILED
    return api.RecodeOutcome(feedback=name, result=failed, status=status(outcome))
