"""A million concurrent appends, and four that follow them."""

import shutil
import time
from pathlib import Path

from tests.verify.conftest import Progress
from tests.verify.flood import flood
from tests.verify.report import Report
from tests.verify.scale import scaled
from tests.verify.zygote import Zygote

CHECK = "a million appends"
APPENDS = scaled(1_000_000, 12_000)
LOGS = scaled(300, 5)

FAULTS = {
    "all": ("SkipsOneInTenThousand", "missed"),
    "prefix": ("RedeliversAfterACheckpoint", "doubled"),
    "type": ("ReordersABatch", "reordered"),
}
"""What is planted for each observer, and as what it must show."""


def test_all_that_follow_see_all_in_order(
    zygote: Zygote, tmp_path: Path, report: Report, progress: Progress
) -> None:
    """Whoever follows sees every event that he wants, once, in an order true to real time."""
    begun = time.monotonic()
    outcome = flood(zygote, tmp_path / "log.db", APPENDS, progress=progress)
    shutil.rmtree(tmp_path)  # some hundred MB
    assert not any(outcome.findings.values()), outcome.findings
    assert outcome.appends == APPENDS
    kinds = ("missed", "phantom", "doubled", "reordered", "altered", "disordered", "untimely")
    found = [finding.kind for findings in outcome.findings.values() for finding in findings]
    figures: dict[str, object] = {"appends": outcome.appends}
    figures |= {f"seen by {name}": seen for name, seen in outcome.seen.items()}
    figures["found"] = ", ".join(f"{found.count(kind)} {kind}" for kind in kinds)
    report.tell(CHECK, figures, time.monotonic() - begun)


def test_logs_begun_by_many_at_once(
    zygote: Zygote, tmp_path: Path, report: Report, progress: Progress
) -> None:
    """Six processes that find no log make one together, and each can append or follow."""
    begun = time.monotonic()
    for number in range(LOGS):
        outcome = flood(zygote, tmp_path / f"log-{number}.db", 60)
        assert not any(outcome.findings.values()), outcome.findings
        assert outcome.appends == 60
        progress(number)
    report.tell(CHECK, {"logs begun by six processes at once": LOGS}, time.monotonic() - begun)


def test_broken_subscriptions_are_found_out(zygote: Zygote, tmp_path: Path, report: Report) -> None:
    """Each observer whose store is broken is found out, and the others are not accused."""
    faults = {observer: fault for observer, (fault, _) in FAULTS.items()}
    outcome = flood(zygote, tmp_path / "log.db", scaled(40_000, 12_000), faults=faults)
    for observer, (fault, kind) in FAULTS.items():
        kinds = [finding.kind for finding in outcome.findings.pop(observer)]
        assert kinds == [kind]
        report.found_out(CHECK, f"{fault} ({observer})", kinds)
    assert not any(outcome.findings.values()), outcome.findings


def test_checkpoints_that_run_ahead_are_found_out(
    zygote: Zygote, tmp_path: Path, report: Report
) -> None:
    """A checkpoint beyond what was handed over makes whoever comes again miss something."""
    fault = "CheckpointsTooFar"
    outcome = flood(zygote, tmp_path / "log.db", 60_000, faults={"all": fault})
    kinds = [finding.kind for finding in outcome.findings["all"]]
    assert "missed" in kinds
    report.found_out(CHECK, f"{fault} (all)", kinds)
