"""Registers of what was promised: actions, obstacles, processes challenged, and hidden fires."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api
from google.protobuf.message import Message

from libs.chassis.edge import get
from libs.chassis.paging import PAGE_BYTES, Page
from libs.contract.parse import parse
from libs.kernel.values import timestamp
from services.feedback import resources
from services.feedback.funnel import fires
from services.feedback.questions import ActionsAsked, RegisterAsked, Window
from services.feedback.ranking import Stake
from services.feedback.service.means import ACTION, Part
from services.feedback.service.standings import Standings
from services.feedback.stakes import Valuer
from services.feedback.views import actions
from services.feedback.views.inbox import micros

_STANDING = (api.ACTION_STATE_ESCALATED, api.ACTION_STATE_COMMITTED)


class Registers(Part):
    """The part of FeedbackService that shows leaders what was promised and what was not."""

    async def ListActions(self, request: api.ListActionsRequest, _: Any) -> api.ListActionsResponse:
        """See the contract."""
        asked, page = parse(ActionsAsked, request), Page.of(request)
        chosen = actions.Chosen(
            states=(asked.state,) if asked.state else (),
            kind=asked.kind or 0,
            owner=asked.owner or "",
            due_before=asked.due_before,
        )
        with self.means.views.read() as db:
            after = page.after[0] if page.after else -1
            found = actions.list_names(db, chosen, after=after, limit=page.size + 1)
        response, size = api.ListActionsResponse(), 0
        for shown, (_position, name) in enumerate(found):
            if shown == page.size or size > PAGE_BYTES:
                response.next_page_token = page.token([found[shown - 1][0]])
                break
            response.actions.append(await self._action(name))
            size += response.actions[-1].ByteSize()
        return response

    async def ListObstacles(
        self, request: api.ListObstaclesRequest, _: Any
    ) -> api.ListObstaclesResponse:
        """See the contract."""
        asked, now = parse(RegisterAsked, request), self.means.clock()
        kind = events.ACTION_KIND_OBSTACLE_REMOVAL
        chosen = actions.Chosen(states=_STANDING, kind=kind, owner=asked.owner or "")
        register = await self._register(request, chosen, asked.as_of or now)
        response = api.ListObstaclesResponse(
            total_size=len(register.ranked),
            blocked=await register.together(),
            as_of=timestamp(register.standings.as_of),
        )
        size = 0
        for stake, token in register.page():
            age = max(micros(timestamp(now)) - register.recorded[stake.name][1], 0)
            obstacle = response.obstacles.add(
                action=await self._action(stake.name),
                age=resources.duration(age),
                blocked=resources.stake(stake),
            )
            response.next_page_token, size = token, size + obstacle.ByteSize()
            if size > PAGE_BYTES:
                break
        return response

    async def ListProcessChanges(
        self, request: api.ListProcessChangesRequest, _: Any
    ) -> api.ListProcessChangesResponse:
        """See the contract."""
        asked = parse(RegisterAsked, request)
        chosen = actions.Chosen(
            states=(asked.state,) if asked.state else (),
            kind=events.ACTION_KIND_PROCESS_CHANGE,
            owner=asked.owner or "",
        )
        register = await self._register(request, chosen, asked.as_of or self.means.clock())
        response = api.ListProcessChangesResponse(
            total_size=len(register.ranked), as_of=timestamp(register.standings.as_of)
        )
        size = 0
        for stake, token in register.page():
            change = response.process_changes.add(
                action=await self._action(stake.name), behind=resources.stake(stake)
            )
            response.next_page_token, size = token, size + change.ByteSize()
            if size > PAGE_BYTES:
                break
        return response

    async def ListHiddenFires(
        self, request: api.ListHiddenFiresRequest, _: Any
    ) -> api.ListHiddenFiresResponse:
        """See the contract."""
        asked, now = parse(Window, request), self.means.clock()
        standings = Standings(request, 0, asked.as_of or now)
        question = asked.model_copy(update={"as_of": standings.as_of}).question(now)
        found = await asyncio.to_thread(fires, self.means.history, question)
        ranked = await standings.rank(found.stakes, self.means.valuer)
        response = api.ListHiddenFiresResponse(
            closed_count=found.closed_count,
            words_only_count=found.words_only_count,
            as_of=timestamp(standings.as_of),
        )
        for stake, token in standings.page(ranked, lambda stake: stake.name):
            closed = found.closed[stake.name]
            response.themes.add(
                theme=stake.name,
                closed_count=closed,
                words_only_count=stake.items,
                share=stake.items / closed,
                unheard=resources.stake(stake),
            )
            response.next_page_token = token
        return response

    async def _action(self, name: str) -> api.Action:
        return resources.action(await get(self.means.decider, ACTION, name))

    async def _register(
        self, request: Message, chosen: actions.Chosen, as_of: datetime
    ) -> "_Register":
        standings = Standings(request, 0, as_of)
        stakes, recorded = await self.means.aside.read(
            lambda db: (actions.stakes(db, chosen), actions.recorded(db, chosen))
        )
        ranked = await standings.rank(stakes, self.means.valuer)
        return _Register(standings, self.means.valuer, stakes, ranked, recorded)


@dataclass(frozen=True, slots=True)
class _Register:
    """Actions with what is at stake in each; ``recorded`` has position and time (µs) of each."""

    standings: Standings
    valuer: Valuer
    stakes: list[tuple[str, str, int]]
    ranked: list[Stake]
    recorded: dict[str, tuple[int, int]]

    def page(self) -> Iterator[tuple[Stake, str]]:
        """Answer the page asked for, oldest first, each with the token of what follows it."""
        return self.standings.page(self.ranked, lambda stake: self.recorded[stake.name][0])

    async def together(self) -> api.Stake:
        """Answer what is at stake in all of them: each customer counted once."""
        whole = [("", customer, count) for _, customer, count in self.stakes]
        ranked = await self.standings.rank(whole, self.valuer)
        return resources.stake(ranked[0], places=False) if ranked else api.Stake()
