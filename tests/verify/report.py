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

CHECKS = ("kill -9", "power cuts", "a million appends", "against a model", "network cuts")
"""In the order of the page; all must have run for it to be written."""


@dataclass
class Report:
    """What the checks of a run have to tell."""

    begun: float = field(default_factory=time.monotonic)
    done: dict[str, list[str]] = field(default_factory=dict)
    planted: list[tuple[str, str, str]] = field(default_factory=list)

    def tell(self, check: str, figures: Mapping[str, object], seconds: float) -> None:
        """Tell what a check did and found, in figures."""
        assert check in CHECKS, check
        shown = [f"{name}: {_shown(value)}" for name, value in figures.items()]
        self.done.setdefault(check, []).append("; ".join([*shown, f"{seconds:,.0f} s"]))

    def found_out(self, check: str, fault: str, by: Sequence[str]) -> None:
        """Tell that a planted fault was found, and as which broken promises it showed."""
        assert check in CHECKS, check
        self.planted.append((check, fault, ", ".join(sorted(set(by)))))

    def is_whole(self) -> bool:
        """Say whether every check has told of itself and of a planted fault."""
        return set(CHECKS) == set(self.done) == {check for check, _, _ in self.planted}

    def page(self) -> str:
        """Answer the report as Markdown."""
        minutes = (time.monotonic() - self.begun) / 60
        where = (
            f"`make verify` on {datetime.now(UTC).date()}: Python {platform.python_version()}, "
            f"SQLite {apsw.sqlite_lib_version()}, {os.cpu_count()} cores, {platform.machine()}; "
            f"seed {SEED}; {minutes:,.0f} minutes. What every check does is told in "
            "`tests/verify`; this page was written by the run."
        )
        lines = [
            "# The event store, put to the proof",
            "",
            where,
            "",
            "| check | done and found |",
            "|---|---|",
            *(f"| {check} | {told} |" for check in CHECKS for told in self.done[check]),
            "",
            "## Planted faults",
            "",
            "Each check must find out a store (a disk, a service) that is broken on purpose.",
            "",
            "| check | fault | showed as |",
            "|---|---|---|",
            *(
                f"| {check} | {fault} | {by} |"
                for check, fault, by in sorted(self.planted, key=lambda p: CHECKS.index(p[0]))
            ),
        ]
        return "\n".join(lines) + "\n"


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
