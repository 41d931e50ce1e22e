"""Things that customers speak of, ranked by what is at stake in them: by equity, and by heads."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from libs.kernel.money import to_message
from libs.kernel.refusals import Refusal
from services.feedback.stakes import NOT_AVAILABLE, Valuer


@dataclass(frozen=True, slots=True)
class Stake:
    """What is at stake in one thing that customers speak of, and its places among all, from 1.

    ``equity`` is in minor units of ``currency``; None (and place 0) when customers cannot be
    valued yet. ``heads`` are distinct known customers, ``items`` open feedback of anybody.
    """

    name: str
    equity: int | None
    currency: str
    heads: int
    items: int
    by_equity: int
    by_heads: int

    @property
    def money(self) -> Money | None:
        """The equity as the contract writes it."""
        return None if self.equity is None else to_message(self.equity, self.currency)


async def rank(
    stakes: Sequence[tuple[str, str, int]], valuer: Valuer, as_of: Timestamp, *, needed: bool = True
) -> list[Stake]:
    """Answer things by equity at stake; ``stakes`` are (thing, customer, open items).

    A customer counts once in a thing, however much he said (domain.md). Equal things stay in the
    order in which they come. Without any thing nobody is asked. When customers cannot be valued
    yet that is refused if ``needed``; otherwise things are ranked by heads alone, in that order.
    """
    heads: defaultdict[str, set[str]] = defaultdict(set)
    items: defaultdict[str, int] = defaultdict(int)
    for thing, customer, count in stakes:
        items[thing] += count
        heads[thing].update({customer} - {""})
    if not items:
        return []
    worth: Mapping[str, int] | None = None
    currency = ""
    try:
        found = await valuer.valuation(set[str]().union(*heads.values()), as_of)
        currency, worth = found.currency, found.worth
    except Refusal as refusal:
        if needed or refusal.reason != NOT_AVAILABLE:
            raise
    by_heads = sorted(items, key=lambda thing: -len(heads[thing]))
    place = {thing: number for number, thing in enumerate(by_heads, 1)}
    if worth is None:
        return [
            Stake(thing, None, "", len(heads[thing]), items[thing], 0, place[thing])
            for thing in by_heads
        ]
    equity = {thing: sum(worth.get(customer, 0) for customer in heads[thing]) for thing in items}
    by_equity = sorted(items, key=lambda thing: -equity[thing])
    return [
        Stake(
            thing,
            equity[thing],
            currency,
            len(heads[thing]),
            items[thing],
            by_equity=number,
            by_heads=place[thing],
        )
        for number, thing in enumerate(by_equity, 1)
    ]


def places_apart(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Answer how many places each thing stands behind (positive) or before where ``other`` puts it.

    Both map the same things to what orders them, the least first. Equal things share a span of
    places; spans that meet are no distance apart.

    >>> places_apart({"a": 1, "b": 2, "c": 2}, {"a": 30, "b": 20, "c": 10})
    {'a': -2, 'b': 0, 'c': 1}
    """
    ours, theirs = _spans(one), _spans(other)
    return {
        thing: max(ours[thing][0] - theirs[thing][1], 0) - max(theirs[thing][0] - ours[thing][1], 0)
        for thing in one
    }


def _spans(order: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Answer the first and the last of the places, from 1, that a thing shares with its equals."""
    values = sorted(order.values())
    return {
        thing: (bisect_left(values, value) + 1, bisect_right(values, value))
        for thing, value in order.items()
    }
