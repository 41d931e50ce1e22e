"""Subscribers that stand while a million events come: memory stays bounded, nothing is lost."""

import time
from pathlib import Path

from tests.verify.conftest import Progress
from tests.verify.report import Report
from tests.verify.scale import scaled
from tests.verify.stalls import BOUND, stall
from tests.verify.zygote import Zygote

CHECK = "slow consumers"
EVENTS = scaled(1_000_000, 30_000)
SIZE = 500


def test_a_stalled_subscriber_costs_no_memory_and_loses_nothing(
    zygote: Zygote, tmp_path: Path, report: Report, progress: Progress
) -> None:
    """Server and subscribers stay within the bound; all is read, in order, once they go on."""
    begun = time.monotonic()
    outcome = stall(zygote, tmp_path, EVENTS, SIZE, progress=progress)
    assert not outcome.findings
    figures: dict[str, object] = {"backlog": f"{EVENTS:,} events, {outcome.backlog >> 20:,} MiB"}
    figures["allowed growth"] = f"{BOUND >> 20} MiB"
    figures |= {f"{name} grew by": f"{n >> 20} MiB" for name, n in outcome.growth.items()}
    figures["found"] = "0 dropped, 0 doubled, 0 disordered, 0 unbounded"
    report.tell(CHECK, "server, wire and file", figures, begun)


def test_stores_that_read_ahead_are_found_out(
    zygote: Zygote, tmp_path: Path, report: Report
) -> None:
    """A server, and an embedded store, that buffer without bound are each found."""
    fault = "BuffersWithoutBound"
    for number, (where, how) in enumerate({"server": "fault", "subscriber": "deaf"}.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        outcome = stall(zygote, folder, 40_000, 4_000, **{how: fault})  # type: ignore[arg-type]
        kinds = {finding.kind for finding in outcome.findings}
        assert kinds == {"unbounded"}, outcome.findings
        report.found_out(CHECK, f"{fault} ({where})", sorted(kinds))
