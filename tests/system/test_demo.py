"""The main job as a newcomer meets it: killed in the middle, run to its end, run again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from equiloop.feedback.v1.service_pb2 import TraceStage

from deploy.local.settings import on_free_ports

_RUN = """
import sys
from pathlib import Path
from rich.console import Console
from deploy.demo.demo import run
from deploy.local.settings import LocalSettings
settings = LocalSettings.model_validate_json(sys.argv[1])
sys.exit(0 if run(Console(), settings, Path(sys.argv[2])) else 1)
"""
_PATIENCE = 300


class _Demo:
    """The demo on free ports, with a home of its own."""

    def __init__(self, home: Path) -> None:
        self.report = home / "report.json"
        self._settings = on_free_ports(data=home / "data", logs=home / "log")

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _RUN, self._settings.model_dump_json(), str(self.report)]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=_clean()
        )

    def run(self) -> dict[str, Any]:
        process = self.start()
        output, _ = process.communicate(timeout=_PATIENCE)
        assert process.returncode == 0, output
        report: dict[str, Any] = json.loads(self.report.read_text())
        return report


def _clean() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("EQUILOOP_")}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> _Demo:
    """A demo that was killed, without a chance to clean up, while purchases streamed in."""
    killed = _Demo(tmp_path_factory.mktemp("demo"))
    process = killed.start()
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip().startswith("customers:"):
            break
    time.sleep(1.0)  # somewhere in the stream of purchases
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return killed


@pytest.fixture(scope="module")
def first(demo: _Demo) -> dict[str, Any]:
    """The report of the run that goes on where the killed one ended."""
    return demo.run()


def test_it_shows_the_published_figures(first: dict[str, Any]) -> None:
    """After a kill -9 in the middle, the demo ends with the figures of the published study."""
    assert first["customers"] == 23_560
    assert first["customers_without_repeat"] == 12_054
    assert first["customer_equity"] == pytest.approx(1_100_623, rel=0.005)
    assert first["mean_clv"] == pytest.approx(46.72, rel=0.005)
    assert first["equity_without_repeat"] == pytest.approx(53_000, rel=0.005)


def test_every_view_equals_its_replay(first: dict[str, Any]) -> None:
    """Rebuilt from the log in a fresh place, every table has the rows of the live one."""
    assert first["views_equal"] is True
    assert first["views"]["feedback.feedback"] > 3_708
    assert first["views"]["metrics.purchase"] == 69_659


def test_feedback_went_the_whole_way(first: dict[str, Any]) -> None:
    """The funnel narrows from received to told, one customer protested, and two rankings stand."""
    funnel = first["feedback_to_action"]
    refusals = funnel["received"] - 3_708
    assert refusals > 0, "refusals of the offer, heard as feedback"
    assert funnel["received"] > funnel["linked"] > funnel["completed"] > funnel["declined"] > 0
    assert funnel["told"] + funnel["open"] == funnel["received"]
    assert funnel["reopened"] == 1
    for ranking in ("equity", "heads"):
        themes = first[f"themes_by_{ranking}"]
        assert [row[f"rank_by_{ranking}"] for row in themes] == [1, 2]
        assert all(row["heads"] and row["equity_at_stake"] for row in themes)


def test_one_way_is_told_from_words_to_worth(first: dict[str, Any]) -> None:
    """Coded by the default coder, routed, acted on, told, confirmed, offered, bought."""
    way = first["lineage"]
    stages = {step["stage"] for step in way["steps"]}
    assert stages == {name.removeprefix("TRACE_STAGE_") for name in TraceStage.keys()[1:]}
    coded = next(step for step in way["steps"] if step["event"] == "FeedbackCoded")
    assert coded["summary"].startswith("coded by vader")
    assert way["told"]
    assert (way["later_purchases"], way["later_purchases_amount"]) == (1, 26.98)
    assert all(step["event_id"] and step["position"] for step in way["steps"])


def test_a_second_run_appends_nothing(demo: _Demo, first: dict[str, Any]) -> None:
    """Run again, the demo appends no event and gives the same cents."""
    again = demo.run()
    assert again["events_appended"] == 0
    assert again["events_total"] == first["events_total"]
    unchanged = [key for key in first if key not in {"seconds", "events_appended"}]
    assert {key: again[key] for key in unchanged} == {key: first[key] for key in unchanged}
