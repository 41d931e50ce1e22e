"""Network cuts between a service and the store's server."""

import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.verify.conftest import Progress
from tests.verify.findings import tally
from tests.verify.network import cut_network
from tests.verify.proxy import CUTS, Cut
from tests.verify.report import Report
from tests.verify.scale import SEED, scaled

CHECK = "network cuts"
ROUNDS = scaled(10)
KINDS = ("silent", "unexpected", "stuck", "lost", "doubled", "altered", "behind", "misfolded")

FAULTS: dict[str, tuple[Cut, dict[str, Any], str]] = {
    "NeverComesAgain": ("reset", {"fault": "NeverComesAgain", "patience": 10.0}, "behind"),
    "SwallowsWhatFails": ("drop", {"fault": "SwallowsWhatFails"}, "lost"),
    "BlocksEverybody": ("stall", {"fault": "BlocksEverybody"}, "silent"),
    "clients that forget their request id": ("half-open", {"forgetful": True}, "doubled"),
}
"""The cut that shows each, where it is planted, and as what it must show."""


async def test_commands_and_views_survive_cuts(
    tmp_path: Path, report: Report, progress: Progress
) -> None:
    """Commands end in time and are done once however often sent; views catch up by themselves."""
    begun, chance = time.monotonic(), Random(SEED)
    cuts = [cut for _ in range(ROUNDS) for cut in chance.sample(CUTS, len(CUTS))]
    outcome = await cut_network(tmp_path, cuts, SEED, progress=progress)
    assert not outcome.findings
    assert outcome.cuts.total() == len(cuts)
    assert outcome.repeated > 0
    figures: dict[str, object] = {f"cuts, {cut}": number for cut, number in outcome.cuts.items()}
    figures |= {
        "commands": outcome.commands,
        "of these sent more than once": outcome.repeated,
        "failed attempts": ", ".join(f"{n:,} {kind}" for kind, n in outcome.failures.items()),
        "events from elsewhere during cuts": outcome.elsewhere,
        "found": tally(outcome.findings, KINDS),
    }
    report.tell(
        CHECK,
        "8 clients, the feedback service, the store's server",
        figures,
        begun,
    )


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_broken_service_is_found_out(tmp_path: Path, report: Report, fault: str) -> None:
    """A service, or a client, that takes a cut wrongly is found out by it."""
    cut, planted, kind = FAULTS[fault]
    outcome = await cut_network(tmp_path, [cut], SEED, **planted)
    assert kind in outcome.kinds
    report.found_out(CHECK, fault, list(outcome.kinds))
