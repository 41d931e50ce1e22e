"""What the market said, composed for a function: drawn from the views once, then frozen."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import apsw
from equiloop.feedback.v1 import market_events_pb2 as events

from libs.decider import Aggregate, Decider, Handled, Request
from libs.eventstore.port import EventStore
from libs.kernel.values import id_of, timestamp
from libs.projection.aside import Aside
from services.feedback.domain import digest
from services.feedback.ranking import Stake, rank
from services.feedback.stakes import Valuer
from services.feedback.views import loops, said
from services.feedback.views.inbox import micros

DIGEST = Aggregate("digest", "digests", digest.INITIAL, digest.evolve)

MOST_THEMES, MOST_NEEDS = 20, 50
"""Of themes, so many by equity and so many by heads are shown; of needs, the latest so many."""


@dataclass(frozen=True)
class Digests:
    """Delivers digests, for those who ask and for schedules alike.

    ``moved`` returns once the views are beyond a position.
    """

    store: EventStore
    decider: Decider
    views: Aside
    moved: Callable[[int], Awaitable[int]]
    valuer: Valuer

    async def deliver(
        self, command: digest.DeliverDigest, request: Request, now: datetime
    ) -> Handled[digest.Digest]:
        """Deliver what ``command`` says, once. Raises Invalid for a window that lies ahead."""
        key = id_of(command.digest)
        before = await self.decider.load(DIGEST, key)
        figures = events.MarketDigestDelivered()
        if before is None:
            command = digest.check(command, now)
            figures = await self._compose(command, now)
        decide = partial(digest.deliver, command, figures)
        return await self.decider.handle(DIGEST, key, decide, request, new=before is None)

    async def _compose(
        self, command: digest.DeliverDigest, now: datetime
    ) -> events.MarketDigestDelivered:
        """Answer the figures, of views that have seen all that the log held just now."""
        head = await self.store.head()
        await self.moved(head - 1)
        start, end = timestamp(command.start_time), timestamp(command.end_time or now)
        window = said.Window(micros(start), micros(end), command.only_themes)
        drawn = await self.views.read(partial(_drawn, window=window, function=command.function))
        as_of = timestamp(now)
        ranked = await rank(drawn.stakes, self.valuer, as_of, needed=False)
        everybody = [("everybody", customer, count) for customer, count in drawn.behind]
        whole = await rank(everybody, self.valuer, as_of, needed=False)
        return events.MarketDigestDelivered(
            received_count=drawn.total.received,
            open_count=sum(stake.items for stake in whole),
            customer_count=sum(stake.heads for stake in whole),
            equity_at_stake=whole[0].money if whole else None,
            mean_sentiment=drawn.total.sentiment,
            sentiment_count=drawn.total.coded,
            themes=[_theme(stake, drawn.by_theme.get(stake.name)) for stake in _first(ranked)],
            theme_count=len(ranked),
            needs_validated=[
                events.DigestNeed(need=need, title=title, feedback_count=count)
                for need, title, count in drawn.needs[:MOST_NEEDS]
            ],
            needs_validated_count=len(drawn.needs),
            breach_count=drawn.missed,
            position=head,
        )


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What the views say, at one snapshot."""

    total: said.Said
    by_theme: dict[str, said.Said]
    behind: list[tuple[str, int]]
    stakes: list[tuple[str, str, int]]
    needs: list[tuple[str, str, int]]
    missed: int


def _drawn(db: apsw.Connection, *, window: said.Window, function: str) -> _Drawn:
    by_theme = said.said_by_theme(db, window)
    only = window.only_themes
    stakes = [stake for stake in loops.stakes(db) if not only or stake[0] in only]
    return _Drawn(
        total=said.said(db, window),
        by_theme=by_theme,
        behind=said.open_customers(db, window),
        stakes=sorted(stakes + [(theme, "", 0) for theme in by_theme]),
        needs=said.validated_needs(db, window),
        missed=said.missed_deadlines(db, function, window),
    )


def _first(ranked: Sequence[Stake]) -> Sequence[Stake]:
    """Answer the first by equity and the first by heads: who leads in either order is heard."""
    return [
        stake
        for stake in ranked
        if 0 < stake.by_equity <= MOST_THEMES or stake.by_heads <= MOST_THEMES
    ]


def _theme(stake: Stake, heard: said.Said | None) -> events.DigestTheme:
    return events.DigestTheme(
        theme=stake.name,
        received_count=heard.received if heard else 0,
        open_count=stake.items,
        customer_count=stake.heads,
        equity_at_stake=stake.money,
        rank_by_heads=stake.by_heads,
        rank_by_equity=stake.by_equity,
        mean_sentiment=heard.sentiment if heard else None,
    )
