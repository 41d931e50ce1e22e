"""The page that a run writes about itself, of what was measured in that run and nothing else."""

import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import apsw

from tests.verify.scale import ROOT, SEED

PAGE = ROOT / "docs" / "reports" / "eventstore.md"

CHECKS = (
    "kill -9",
    "power cuts",
    "a million appends",
    "against a model",
    "network cuts",
    "slow consumers",
)
"""In the order of the page; all must have run for it to be written."""


@dataclass
class Report:
    """What the checks of a run have to tell."""

    begun: float = field(default_factory=time.monotonic)
    done: dict[str, list[str]] = field(default_factory=dict)
    planted: dict[str, list[str]] = field(default_factory=dict)

    def tell(self, check: str, how: str, figures: Mapping[str, object], begun: float) -> None:
        """Tell what a check, ``begun`` then, did in one way, and what it found, in figures."""
        assert check in CHECKS, check
        lines = [f"**{how}** ({time.monotonic() - begun:,.0f} s)", ""]
        lines += [f"- {name}: {_shown(value)}" for name, value in figures.items()]
        self.done.setdefault(check, []).append("\n".join([*lines, ""]))

    def found_out(self, check: str, fault: str, by: Sequence[str]) -> None:
        """Tell that a planted fault was found, and as which broken promises it showed."""
        assert check in CHECKS, check
        row = f"| {fault} | {', '.join(sorted(set(by)))} |"
        self.planted.setdefault(check, []).append(row)

    def is_whole(self) -> bool:
        """Say whether every check has told of itself and of a planted fault."""
        return set(CHECKS) == set(self.done) == set(self.planted)

    def page(self) -> str:
        """Answer the report as Markdown."""
        minutes = (time.monotonic() - self.begun) / 60
        where = (
            f"`make verify` on {datetime.now(UTC).date()}: Python {platform.python_version()}, "
            f"SQLite {apsw.sqlite_lib_version()}, {os.cpu_count()} cores, {platform.machine()}; "
            f"seed {SEED}; {minutes:,.0f} minutes. What every check does is told in "
            "`tests/verify`; this page was written by the run. Each check must also find out "
            "stores, disks, services or clients that are broken on purpose."
        )
        lines = [
            "# The event store, put to the proof",
            "",
            where,
            "",
            *(line for check in CHECKS for line in self._section(check)),
        ]
        return "\n".join(lines)

    def _section(self, check: str) -> list[str]:
        return [
            f"## {check.capitalize()}",
            "",
            *self.done[check],
            "| planted fault | found out as |",
            "|---|---|",
            *self.planted[check],
            "",
        ]


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
