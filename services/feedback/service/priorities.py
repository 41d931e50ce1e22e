"""Priorities: how urgent people decide themes to be, beside equity and heads."""

from typing import Any

from equiloop.feedback.v1 import market_service_pb2 as api

from libs.chassis.edge import change, get
from libs.contract.parse import parse
from libs.kernel.values import timestamp
from services.feedback.domain import theme
from services.feedback.questions.market import Ranked
from services.feedback.ranking import Stake, places_apart
from services.feedback.resources import market as resources
from services.feedback.service.means import THEME, Part
from services.feedback.service.standings import Standings
from services.feedback.views import loops, priorities


class Priorities(Part):
    """The part of MarketService in which people decide."""

    async def PrioritiseTheme(
        self, request: api.PrioritiseThemeRequest, _: Any
    ) -> api.ThemeDecision:
        """See the contract."""
        command = parse(theme.PrioritiseTheme, request)
        handled = await change(self.means.decider, THEME, command, theme.decide, request)
        return resources.theme(handled)

    async def ListThemePriorities(
        self, request: api.ListThemePrioritiesRequest, _: Any
    ) -> api.ListThemePrioritiesResponse:
        """See the contract."""
        asked = parse(Ranked, request)
        standings = Standings(request, asked.order or 0, asked.as_of or self.means.clock())
        with self.means.views.read() as db:
            stakes = loops.stakes(db)
            decided = priorities.priorities(db)
        stakes += [(name, "", 0) for name in decided]
        ranked = await standings.rank(sorted(stakes), self.means.valuer)
        response = api.ListThemePrioritiesResponse(
            total_size=len(ranked), decided_count=len(decided), as_of=timestamp(standings.as_of)
        )
        places = _Places(decided, ranked)
        for stake, token in standings.page(ranked, lambda stake: stake.name):
            entry = response.themes.add()
            entry.CopyFrom(resources.theme_priority(stake))
            if stake.name in decided:
                handled = await get(self.means.decider, THEME, f"themes/{stake.name}")
                entry.decision.CopyFrom(resources.theme(handled))
                places.fill(entry)
            response.next_page_token = token
        return response


class _Places:
    """Where people put the themes that they decided about, and how far that is from the figures."""

    def __init__(self, decided: dict[str, int], ranked: list[Stake]) -> None:
        """Compare among ``decided`` themes alone: like with like."""
        alike = [stake for stake in ranked if stake.name in decided]
        values = sorted(decided.values())
        self._place = {name: values.index(value) + 1 for name, value in decided.items()}
        self._heads = places_apart(decided, {stake.name: -stake.heads for stake in alike})
        self._equity = dict.fromkeys(decided, 0)
        if all(stake.equity is not None for stake in alike):
            worth = {stake.name: -(stake.equity or 0) for stake in alike}
            self._equity = places_apart(decided, worth)

    def fill(self, entry: api.ThemePriority) -> None:
        """Write the places of one theme."""
        entry.rank_by_decision = self._place[entry.theme]
        entry.places_from_heads = self._heads[entry.theme]
        entry.places_from_equity = self._equity[entry.theme]
