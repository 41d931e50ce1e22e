"""A million concurrent appends, and four that follow them."""

import shutil
import time
from pathlib import Path

from tests.verify.conftest import Progress
from tests.verify.flood import Outcome, flood
from tests.verify.report import Report
from tests.verify.scale import scaled
from tests.verify.served import store_server
from tests.verify.zygote import Zygote

CHECK = "a million appends"
APPENDS = scaled(1_000_000, 12_000)
OVER_THE_WIRE = scaled(100_000, 6_000)
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
    outcome = flood(zygote, f"sqlite:///{tmp_path}/log.db", APPENDS, progress=progress)
    shutil.rmtree(tmp_path)  # some hundred MB
    judge("embedded", outcome, APPENDS, report, begun)


def test_all_that_follow_a_server_see_all_in_order(
    zygote: Zygote, tmp_path: Path, report: Report, progress: Progress
) -> None:
    """The same over the wire: a server process, and the official client in front of it."""
    begun = time.monotonic()
    with store_server(tmp_path) as port:
        url = f"kurrentdb://127.0.0.1:{port}?tls=false"
        outcome = flood(zygote, url, OVER_THE_WIRE, progress=progress)
    judge("over the wire", outcome, OVER_THE_WIRE, report, begun)


def judge(way: str, outcome: Outcome, appends: int, report: Report, begun: float) -> None:
    """All was appended and all was seen; the report is told so."""
    assert not any(outcome.findings.values()), outcome.findings
    assert outcome.appends == appends
    kinds = ("missed", "phantom", "doubled", "reordered", "altered", "disordered", "untimely")
    found = [finding.kind for findings in outcome.findings.values() for finding in findings]
    figures: dict[str, object] = {"appends": outcome.appends}
    figures |= {f"seen by {name}": seen for name, seen in outcome.seen.items()}
    figures["found"] = ", ".join(f"{found.count(kind)} {kind}" for kind in kinds)
    report.tell(CHECK, way, figures, begun)


def test_logs_begun_by_many_at_once(
    zygote: Zygote, tmp_path: Path, report: Report, progress: Progress
) -> None:
    """Six processes that find no log make one together, and each can append or follow."""
    begun = time.monotonic()
    for number in range(LOGS):
        outcome = flood(zygote, f"sqlite:///{tmp_path}/log-{number}.db", 60)
        assert not any(outcome.findings.values()), outcome.findings
        assert outcome.appends == 60
        progress(number)
    report.tell(CHECK, "logs begun by six processes at once", {"logs": LOGS}, begun)


def test_broken_subscriptions_are_found_out(zygote: Zygote, tmp_path: Path, report: Report) -> None:
    """Each observer whose store is broken is found out, and the others are not accused."""
    faults = {observer: fault for observer, (fault, _) in FAULTS.items()}
    outcome = flood(zygote, f"sqlite:///{tmp_path}/log.db", scaled(40_000, 12_000), faults=faults)
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
    outcome = flood(zygote, f"sqlite:///{tmp_path}/log.db", 60_000, faults={"all": fault})
    kinds = [finding.kind for finding in outcome.findings["all"]]
    assert "missed" in kinds
    report.found_out(CHECK, f"{fault} (all)", kinds)
