"""The proof of bounded memory in short: 16,000 large events while subscribers stand."""

from pathlib import Path

from tests.verify.stalls import stall
from tests.verify.zygote import Zygote

EVENTS, SIZE = 16_000, 8_000


def test_a_stalled_subscriber_costs_no_memory_and_loses_nothing(
    zygote: Zygote, tmp_path: Path
) -> None:
    """Server and subscribers stay within the bound; all is read, in order, once they go on."""
    outcome = stall(zygote, tmp_path, EVENTS, SIZE)
    assert not outcome.findings


def test_a_server_that_reads_ahead_is_found_out(zygote: Zygote, tmp_path: Path) -> None:
    """A server that buffers what its subscriber does not read grows beyond the bound."""
    outcome = stall(zygote, tmp_path, EVENTS, SIZE, fault="BuffersWithoutBound")
    assert {finding.kind for finding in outcome.findings} == {"unbounded"}
