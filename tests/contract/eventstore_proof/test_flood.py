"""The proof of order in short: 20,000 concurrent appends, four that follow, broken ones too."""

from pathlib import Path

import numpy as np

from tests.verify import tables
from tests.verify.flood import flood
from tests.verify.tables import ROW, Rows
from tests.verify.zygote import Zygote

APPENDS = 20_000


def test_all_that_follow_see_all_in_order(zygote: Zygote, tmp_path: Path) -> None:
    """Whoever follows sees every event that he wants, once, in an order true to real time."""
    outcome = flood(zygote, f"sqlite:///{tmp_path}/log.db", APPENDS)
    assert not any(outcome.findings.values()), outcome.findings
    assert (outcome.appends, outcome.seen["all"]) == (APPENDS, APPENDS)


def test_broken_subscriptions_are_found_out(zygote: Zygote, tmp_path: Path) -> None:
    """Skipped, reordered and repeated events are each found, and nobody else is accused."""
    faults = {
        "all": "SkipsOneInTenThousand",
        "prefix": "RedeliversAfterACheckpoint",
        "type": "ReordersABatch",
    }
    outcome = flood(zygote, f"sqlite:///{tmp_path}/log.db", 12_000, faults=faults)
    kinds = {name: [found.kind for found in each] for name, each in outcome.findings.items()}
    expected = {"all": ["missed"], "prefix": ["doubled"], "type": ["reordered"]}
    assert kinds == expected | {"in-process": [], "log": []}


def made(*appends: tuple[int, int, int, int]) -> Rows:
    """Appends by revision, position, begun and acknowledged, all to one stream."""
    return np.array([(0, 0, 0, 0, *append) for append in appends], ROW)


def test_a_log_out_of_time_is_found_out() -> None:
    """An append that was acknowledged before another began, and stands behind it, is found."""
    assert not list(tables.order(made((0, 1, 10, 30), (1, 2, 20, 40), (2, 3, 10, 35))))
    (finding,) = tables.order(made((0, 1, 31, 40), (1, 2, 20, 30)))
    assert finding.kind == "untimely"


def test_a_log_with_gaps_is_found_out() -> None:
    """A revision left out, and a position given twice, are found."""
    (gap,) = tables.order(made((0, 1, 1, 9), (2, 2, 1, 9)))
    (twice,) = tables.order(made((0, 1, 1, 9), (1, 1, 1, 9)))
    assert (gap.kind, twice.kind) == ("disordered", "disordered")


def test_altered_and_unknown_events_are_found_out() -> None:
    """An event seen elsewhere than it was acknowledged, and one nobody sent, are found."""
    sent, moved, unknown = made((0, 1, 1, 9)), made((0, 2, 0, 0)), made((1, 3, 0, 0))
    unknown["number"] = 99
    kinds = [finding.kind for finding in tables.compare(np.concatenate((moved, unknown)), sent)]
    assert kinds == ["phantom", "altered"]
