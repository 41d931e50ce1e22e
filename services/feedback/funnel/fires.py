"""Hidden fires: loops that are closed, and closed by words alone."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from equiloop.feedback.v1 import events_pb2 as events

from services.feedback.funnel.count import Question, chosen_items
from services.feedback.funnel.history import History
from services.feedback.funnel.table import Bools


@dataclass(frozen=True, slots=True)
class Fires:
    """Loops closed of the feedback asked about, and those of them closed by words alone.

    ``closed`` counts loops by theme; ``stakes`` are (theme, customer, loops closed by words alone),
    sorted; an unknown customer is empty.
    """

    closed_count: int
    words_only_count: int
    closed: Mapping[str, int]
    stakes: list[tuple[str, str, int]]


def fires(history: History, asked: Question) -> Fires:
    """Answer what was put out by words. It computes: call it in a thread.

    A loop is closed by words alone when every action that holds it closed is of kind
    COMMUNICATION_ONLY.
    """
    with history.lock:
        history.refresh()
        among = chosen_items(history, asked)
        closed = among & (history.standing(asked.as_of).told <= asked.as_of)
        deeds = history.acts["kind"] != events.ACTION_KIND_COMMUNICATION_ONLY
        words_only = closed & ~(history.told_by(deeds, asked.as_of) <= asked.as_of)
        by_theme = _by_theme(history, asked.as_of, closed)
        stakes = _by_theme_and_customer(history, asked.as_of, words_only)
    return Fires(int(closed.sum()), int(words_only.sum()), by_theme, stakes)


def _by_theme(history: History, as_of: int, items: Bools) -> dict[str, int]:
    _, themes = history.codings_of(items, as_of)
    numbers, counts = np.unique(themes, return_counts=True)
    names = history.words(numbers)
    return {names[n]: int(count) for n, count in zip(numbers, counts, strict=True)}


def _by_theme_and_customer(
    history: History, as_of: int, items: Bools
) -> list[tuple[str, str, int]]:
    coded, themes = history.codings_of(items, as_of)
    customers = history.items["customer"][coded - 1].astype(np.int64)
    pairs, counts = np.unique(themes.astype(np.int64) << 32 | customers, return_counts=True)
    theme, customer = pairs >> 32, pairs & 0xFFFFFFFF
    names = history.words(np.union1d(theme, customer))
    named = zip(theme.tolist(), customer.tolist(), counts.tolist(), strict=True)
    return sorted((names[one], names[other], count) for one, other, count in named)
