"""The proof about the network in short: cut between a service and the store, and well again."""

from pathlib import Path

from tests.verify.network import cut_network

SEED = 20


async def test_commands_and_views_survive_cuts(tmp_path: Path) -> None:
    """Commands end in time and are done once however often sent; views catch up by themselves."""
    outcome = await cut_network(tmp_path, ["reset", "stall"], SEED)
    assert not outcome.findings
    assert (outcome.cuts.total(), outcome.repeated > 0) == (2, True)


async def test_a_forgotten_request_id_is_found_out(tmp_path: Path) -> None:
    """A client that sends the same command under another id is found to have it done twice."""
    outcome = await cut_network(tmp_path, ["stall"], SEED, forgetful=True)
    assert {finding.kind for finding in outcome.findings} == {"doubled"}
