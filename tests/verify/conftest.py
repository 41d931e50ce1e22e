"""What the long checks share: processes to kill, a report to write, and a sign of life."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.verify.report import PAGE, Report
from tests.verify.scale import SCALE, SEED
from tests.verify.zygote import Zygote

Progress = Callable[[int], None]
REPORT = pytest.StashKey[Report]()

EVERY = 5.0
"""Seconds between two signs of life."""


def pytest_configure(config: pytest.Config) -> None:
    """Begin the report."""
    config.stash[REPORT] = Report()


def pytest_report_header() -> str:
    """Say how to repeat the run."""
    return f"proof: EQUILOOP_VERIFY_SCALE={SCALE:g} EQUILOOP_VERIFY_SEED={SEED}"


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the report of a whole run in which all was well."""
    report = session.config.stash[REPORT]
    if exitstatus == 0 and SCALE >= 1 and report.is_whole():
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(report.page())
        print(f"\nproof: written to {PAGE}")


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """Takes what a check has to tell."""
    return request.config.stash[REPORT]


@pytest.fixture
def progress(request: pytest.FixtureRequest) -> Progress:
    """Shows now and then how far a check is."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    last = time.monotonic()

    def show(done: int) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            with capture.global_and_fixture_disabled():
                print(f"\n{request.node.name}: {done:,} … ", end="", file=sys.stderr, flush=True)

    return show


@pytest.fixture
def zygote(tmp_path: Path) -> Iterator[Zygote]:
    """Forks the workers of the checks that kill them."""
    with Zygote(
        tmp_path / "workers.log", "tests.verify.spending", "tests.verify.stopping"
    ) as forking:
        yield forking
