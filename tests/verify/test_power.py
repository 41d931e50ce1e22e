"""Power cuts at random operations of the disk."""

import time
from pathlib import Path

import pytest

from tests.verify.conftest import Progress
from tests.verify.findings import PROMISES, tally
from tests.verify.power import cut_power
from tests.verify.report import Report
from tests.verify.scale import SEED, scaled
from tests.verify.stopping import Fault
from tests.verify.zygote import Zygote

CUTS = scaled(500, 10)


def test_power_cuts_lose_nothing(
    zygote: Zygote, tmp_path: Path, report: Report, progress: Progress
) -> None:
    """After every cut the file opens, is sound, and holds all that was acknowledged."""
    begun = time.monotonic()
    outcome = cut_power(zygote, tmp_path, SEED, CUTS, progress=progress)
    assert not outcome.findings
    assert outcome.cuts == CUTS
    figures = {
        "cuts": outcome.cuts,
        "kills without a cut between them": outcome.kills,
        "disks opened and checked": outcome.disks,
        "of these with rows of the view": outcome.views,
        "commands acknowledged": outcome.acknowledged,
        "sent again because the answer was cut off": outcome.resent,
        "found": tally(outcome.findings, (*PROMISES, "misfolded", "unreadable", "corrupt")),
    }
    report.tell("power cuts", "8 writers and a view", figures, begun)


@pytest.mark.parametrize("fault", ["lying disk", "synchronous off"])
def test_what_is_not_synced_is_missed(
    zygote: Zygote, tmp_path: Path, report: Report, fault: Fault
) -> None:
    """A disk that does not sync, and a store that does not ask for it, lose what they promised."""
    outcome = cut_power(zygote, tmp_path, SEED, 100, fault=fault, until="lost")
    assert "lost" in outcome.kinds
    report.found_out("power cuts", fault, list(outcome.kinds))
