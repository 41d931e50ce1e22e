"""How much feedback turned into action: the funnel of domain.md, counted in one scan."""

from dataclasses import dataclass

import numpy as np

from services.feedback.funnel.history import History
from services.feedback.funnel.survival import Survival, survival
from services.feedback.funnel.table import Bools
from services.feedback.views.facts import ALWAYS


@dataclass(frozen=True, slots=True)
class Question:
    """Which feedback is asked about, in µs: received in [start, end), seen as of an instant.

    ``now`` ends the wait of what is open; every filter that is empty lets all through.
    """

    now: int
    start: int = -ALWAYS
    end: int = ALWAYS
    as_of: int = ALWAYS
    channel: int = 0
    theme: str = ""
    segment: str = ""
    function: str = ""
    customer: str = ""


@dataclass(frozen=True, slots=True)
class Funnel:
    """Distinct feedback items by how far they came; see FeedbackToAction in the contract."""

    received: int
    linked: int
    committed: int
    completed: int
    declined: int
    told: int
    reopened: int
    links: int
    closing: Survival


def count(history: History, asked: Question) -> Funnel:
    """Answer the funnel. It computes: call it in a thread."""
    with history.lock:
        history.refresh()
        chosen = chosen_items(history, asked)
        stand = history.standing(asked.as_of)
        received, until = history.items["receive_time"], min(asked.as_of, asked.now)
        some = np.compress  # four times as quick as an index of booleans
        told = chosen & (stand.told <= asked.as_of)
        waits = chosen & ~told
        linked = history.links["since"] <= asked.as_of
        linked &= chosen[history.links["item"] - 1]
        return Funnel(
            received=_count(chosen),
            linked=_count(stand.linked & chosen),
            committed=_count(stand.committed & chosen),
            completed=_count(stand.completed & chosen),
            declined=_count(stand.declined & ~stand.completed & chosen),
            told=_count(told),
            reopened=_count(stand.once_told & waits),
            links=_count(linked),
            closing=survival(
                np.maximum(some(told, stand.told) - some(told, received), 0),
                np.maximum(until - some(waits, received), 0),
            ),
        )


def _count(items: Bools) -> int:
    return int(np.count_nonzero(items))


def waiting(history: History, asked: Question) -> int:
    """Answer how many loops are open. It computes: call it in a thread."""
    with history.lock:
        history.refresh()
        told = history.standing(asked.as_of).told[chosen_items(history, asked)]
        return int((told > asked.as_of).sum())


def chosen_items(history: History, asked: Question) -> Bools:
    """Say of each item whether it is asked about; the history is locked and up to date."""
    received = history.items["receive_time"]
    chosen: Bools = received >= asked.start
    chosen &= received < asked.end
    chosen &= received <= asked.as_of
    if asked.channel:
        chosen &= history.items["channel"] == asked.channel
    if asked.customer:
        chosen &= history.items["customer"] == history.number(asked.customer)
    if asked.theme:
        chosen &= history.about(asked.theme, asked.as_of)
    if asked.segment:
        chosen = history.within(asked.segment, chosen)
    if asked.function:
        chosen &= history.of_function(asked.function)
    return chosen
