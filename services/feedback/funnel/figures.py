"""What feedback in a window is about, what lies behind it, and which scores came with it."""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from services.feedback.funnel.count import Question, chosen_items
from services.feedback.funnel.history import History
from services.feedback.views.facts import ALWAYS, MILLION, NO_SENTIMENT, coder_of


@dataclass(slots=True)
class Tally:
    """How many items, and how those of them feel whose coding says so: sum in millionths, and n."""

    items: int = 0
    feeling: int = 0
    sentiment: int = 0

    def add(self, other: "Tally") -> None:
        """Count the items of ``other``, too."""
        self.items += other.items
        self.feeling += other.feeling
        self.sentiment += other.sentiment

    @property
    def mean(self) -> float | None:
        """The mean sentiment, -1 to 1; None where no coding says how it feels."""
        return self.sentiment / MILLION / self.feeling if self.feeling else None


@dataclass(slots=True)
class Themes:
    """Items received, those of them coded, and a tally by theme and coder (name, version)."""

    received: int = 0
    coded: int = 0
    by_coder: dict[str, dict[tuple[str, str], Tally]] = field(
        default_factory=lambda: defaultdict(dict)
    )


def themes(history: History, asked: Question, coder: str = "") -> Themes:
    """Count themes by the latest codings, of ``coder`` only if one is named. In a thread."""
    with history.lock:
        history.refresh()
        chosen, codings = chosen_items(history, asked), history.codings
        rows = codings.latest(ALWAYS)
        rows &= chosen[codings["item"] - 1]
        numbers = np.unique(codings["coder"][rows])
        coders = {int(number): coder_of(history.word(int(number))) for number in numbers}
        if coder:
            wanted = [number for number, (name, _) in coders.items() if name == coder]
            rows &= np.isin(codings["coder"], wanted)
        found = Themes(int(chosen.sum()), len(np.unique(codings["item"][rows])))
        pairs = np.stack((codings["theme"][rows], codings["coder"][rows]))
        kinds, kind = np.unique(pairs, axis=1, return_inverse=True)
        feeling = codings["sentiment"][rows]
        says = feeling != NO_SENTIMENT
        items = np.bincount(kind.ravel(), minlength=kinds.shape[1])
        counts = np.bincount(kind.ravel()[says], minlength=kinds.shape[1])
        sums = np.bincount(kind.ravel()[says], feeling[says], minlength=kinds.shape[1])
        for number, (theme, by) in enumerate(kinds.T.tolist()):
            if theme:
                tally = Tally(int(items[number]), int(counts[number]), int(sums[number]))
                found.by_coder[history.word(theme)][coders[by]] = tally
        return found


def causes(history: History, asked: Question) -> list[int]:
    """Count items by the cause last found for them; at 0: those without one. In a thread."""
    with history.lock:
        history.refresh()
        cause = np.zeros(history.items.size + 1, np.int8)
        cause[history.findings["item"]] = history.findings["cause"]
        counts = np.bincount(cause[1:][chosen_items(history, asked)])
        return [int(count) for count in counts]


def scores(history: History, asked: Question) -> dict[int, dict[int, int]]:
    """Count answers by scale and value. In a thread."""
    with history.lock:
        history.refresh()
        chosen = chosen_items(history, asked)
        scale, score = history.items["scale"][chosen], history.items["score"][chosen]
        found = {}
        for each in np.unique(scale[scale > 0]).tolist():
            counts = np.bincount(score[scale == each])
            found[each] = {int(value): int(counts[value]) for value in np.flatnonzero(counts)}
        return found
