"""Lists of things with what is at stake in them, page by page, as of one instant."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from equiloop.feedback.v1 import market_service_pb2 as api
from google.protobuf.message import Message

from libs.chassis.paging import Page
from libs.kernel.values import timestamp
from services.feedback.ranking import Stake, rank
from services.feedback.stakes import Valuer
from services.feedback.views.inbox import micros

Key = Callable[[Stake], int | str]
"""What never changes of a thing, and orders things that are equal: a position, a name."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Standings:
    """One page of such a list; the first page's instant goes along in its tokens.

    In the order of the key, whatever is there throughout is on exactly one page. In the order of
    equity or heads, things move while pages are read.
    """

    def __init__(self, request: Message, order: int, as_of: datetime) -> None:
        """Read size and token of ``request``. Raises Invalid for those that are none."""
        self._page, self._order = Page.of(request), order
        self._after: list[Any] | None = None
        self.as_of = as_of
        if self._page.after is not None:
            since, *self._after = self._page.after
            self.as_of = _EPOCH + timedelta(microseconds=since)

    async def rank(self, stakes: Sequence[tuple[str, str, int]], valuer: Valuer) -> list[Stake]:
        """Answer all stakes, ranked. Without values that is refused only in the order of equity."""
        needed = self._order == api.RANK_ORDER_EQUITY
        return await rank(stakes, valuer, timestamp(self.as_of), needed=needed)

    def page(self, ranked: Sequence[Stake], key: Key) -> Iterator[tuple[Stake, str]]:
        """Answer the page's stakes, each with the token of a page that ends with it.

        The token is empty for the last of the whole list.
        """

        def place(stake: Stake) -> list[Any]:
            match self._order:
                case api.RANK_ORDER_EQUITY:
                    return [-(stake.equity or 0), key(stake)]
                case api.RANK_ORDER_HEADS:
                    return [-stake.heads, key(stake)]
            return [key(stake)]

        left = sorted(((place(stake), stake) for stake in ranked), key=lambda pair: pair[0])
        if self._after is not None:
            left = [pair for pair in left if pair[0] > self._after]
        since = micros(timestamp(self.as_of))
        for number, (at, stake) in enumerate(left[: self._page.size], 1):
            yield stake, self._page.token([since, *at]) if number < len(left) else ""
