"""A row of figures, and the page they are written to."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path("docs/reports/bench.md")


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured, against what, and the goal for the ratio (or for the figure itself)."""

    what: str
    figure: str
    against: str
    ratio: float
    goal: float
    below: bool = False
    """Whether the goal is an upper bound."""

    @property
    def met(self) -> bool:
        """Say whether the goal was met."""
        return self.ratio <= self.goal if self.below else self.ratio >= self.goal

    def line(self) -> str:
        """Answer the row as Markdown."""
        sign = "≤" if self.below else "≥"
        met = "yes" if self.met else "**no**"
        cells = (
            self.what,
            self.figure,
            self.against,
            f"{self.ratio:,.2f}",
            f"{sign} {self.goal:,g}",
        )
        return "| " + " | ".join((*cells, met)) + " |"


def page(rows: Sequence[Row]) -> str:
    """Answer the report as Markdown."""
    day = datetime.now(UTC).date()
    where = (
        f"`make bench` on {day}: Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"{platform.machine()}. Load, servers and peers share the machine; ratios are within one "
        "run, of medians of several rounds."
    )
    lines = [
        "# Bench",
        "",
        where,
        "",
        "| what | figure | against | ratio or figure | goal | met |",
        "|---|---|---|---|---|---|",
        *(row.line() for row in rows),
    ]
    return "\n".join(lines) + "\n"
