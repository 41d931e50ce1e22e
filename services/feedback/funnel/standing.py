"""How far each item of feedback came, as of an instant."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.feedback.funnel.table import Bools, Ints, Table
from services.feedback.views.facts import COMMITTED, COMPLETED, DECLINED, NEVER


@dataclass(slots=True)
class Standing:
    """One place an item, in the order of their rows.

    ``linked``: to at least one action, whatever became of it; ``committed``, ``completed``,
    ``declined``: at least one of its actions stands so (a completed one was committed). ``told``:
    when the customer was told (µs), NEVER where nothing told holds; ``once_told``: whether
    anything ever was.
    """

    linked: Bools
    committed: Bools
    completed: Bools
    declined: Bools
    once_told: Bools
    told: Ints

    @classmethod
    def of(cls, size: int) -> "Standing":
        """Answer that of ``size`` items to which nothing happened yet."""
        linked, committed, completed, declined, once_told = np.zeros((5, size), np.bool_)
        told = np.full(size, NEVER)
        return cls(linked, committed, completed, declined, once_told, told)

    def renewed(self, among: Bools, later: "Standing") -> "Standing":
        """Answer this one with the items ``among`` as they are ``later``, which may know more."""
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(later, field.name)
            kept = ~among[: len(mine)]
            theirs[: len(mine)][kept] = mine[kept]
        return later


def standing(
    size: int, links: Table, states: Table, tellings: Table, *, as_of: int, among: Bools | None
) -> Standing:
    """Answer how far ``size`` items came by ``as_of`` (µs); only for those ``among``, if given.

    Rows are in log order, so of several that speak of one thing the last one holds.
    """
    answer = Standing.of(size)
    rows = links["since"] <= as_of
    if among is not None:
        rows &= among[links["item"] - 1]
    item = links["item"][rows] - 1
    state = _states(states, as_of, int(links["act"].max(initial=0)))[links["act"][rows]]
    answer.linked[item] = True
    answer.committed[item[(state == COMMITTED) | (state == COMPLETED)]] = True
    answer.completed[item[state == COMPLETED]] = True
    answer.declined[item[state == DECLINED]] = True
    tell(answer, tellings, as_of, among)
    return answer


def _states(states: Table, as_of: int, most: int) -> Ints:
    """Answer the state of each action by its row number, by ``as_of``."""
    rows = states["since"] <= as_of
    act = states["act"][rows]
    answer = np.zeros(max(most, int(act.max(initial=0))) + 1, np.int64)
    answer[act] = states["state"][rows]
    return answer


def tell(
    answer: Standing,
    tellings: Table | Mapping[str, NDArray[Any]],
    as_of: int,
    among: Bools | None,
) -> None:
    """Mark who was told. What one action told ends for an item when a row without a time follows.

    An item may be told by several actions; the earliest that still holds counts.
    """
    rows = tellings["since"] <= as_of
    if among is not None:
        rows &= among[tellings["item"] - 1]
    item, told = tellings["item"][rows] - 1, tellings["told"][rows]
    answer.once_told[item] = True
    ended = np.zeros(len(answer.told), np.bool_)
    ended[item[told == NEVER]] = True
    several = ended[item]
    np.minimum.at(answer.told, item[~several], told[~several])
    key = item[several] << 32 | tellings["act"][rows][several]
    latest = len(key) - 1 - np.unique(key[::-1], return_index=True)[1]
    np.minimum.at(answer.told, item[several][latest], told[several][latest])
