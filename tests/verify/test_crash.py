"""kill -9 at random moments."""

import time
from pathlib import Path

import pytest

from tests.verify.conftest import Progress
from tests.verify.crash import Faults, crash
from tests.verify.findings import PROMISES, tally
from tests.verify.report import Report
from tests.verify.scale import SEED, scaled
from tests.verify.zygote import Zygote

CYCLES = scaled(1000, 10)

FAULTS = {
    "AcknowledgesBeforeTheCommit": (Faults(writers="AcknowledgesBeforeTheCommit"), "lost"),
    "ForgetsWhatItHasSeen": (Faults(writers="ForgetsWhatItHasSeen"), "phantom"),
    "TearsAppends": (Faults(writers="TearsAppends"), "torn"),
    "IgnoresTheExpectedRevision": (Faults(writers="IgnoresTheExpectedRevision"), "altered"),
    "RedeliversAfterACheckpoint": (Faults(view="RedeliversAfterACheckpoint"), "misfolded"),
    "ReordersABatch": (Faults(view="ReordersABatch"), "misfolded"),
    "SkipsAnEventNowAndThen": (Faults(view="SkipsAnEventNowAndThen"), "misfolded"),
}
"""What is planted, and as what it must show."""


def test_kills_lose_and_double_nothing(
    zygote: Zygote, tmp_path: Path, report: Report, progress: Progress
) -> None:
    """After every kill all that was acknowledged is in log and rows, once, and nothing unsent."""
    begun = time.monotonic()
    outcome = crash(zygote, tmp_path, SEED, CYCLES, progress=progress)
    assert not outcome.findings
    assert outcome.cycles == CYCLES
    assert outcome.resent > 0, "no kill cut off an answer: nothing was put to the proof"
    figures = {
        "cycles": outcome.cycles,
        "processes killed": outcome.kills,
        "of these while they opened the file": outcome.unopened,
        "commands acknowledged": outcome.acknowledged,
        "events": outcome.events,
        "sent again because a kill had cut off the answer": outcome.resent,
        "found": tally(outcome.findings, (*PROMISES, "misfolded", "corrupt")),
    }
    report.tell("kill -9", "8 writers in 4 processes, and a view", figures, begun)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_store_is_found_out(
    zygote: Zygote, tmp_path: Path, report: Report, fault: str
) -> None:
    """A store that breaks one promise is found out within a few kills, by that promise."""
    faults, kind = FAULTS[fault]
    outcome = crash(zygote, tmp_path, SEED, 200, faults=faults, until=kind)
    assert kind in outcome.kinds
    report.found_out("kill -9", fault, list(outcome.kinds))
