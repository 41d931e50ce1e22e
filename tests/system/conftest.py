"""The whole system, once for all tests that want it."""

from collections.abc import Iterator

import pytest

from deploy.local.settings import on_free_ports
from deploy.local.system import System
from tests.system.front import Front, running


@pytest.fixture(scope="session")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """An Envoy in front of small servers that do as they are told."""
    with running(tmp_path_factory.mktemp("front")) as started:
        yield started


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The real system on free ports, with its data in a place of its own."""
    directory = tmp_path_factory.mktemp("system")
    settings = on_free_ports(store="", data=directory / "data", logs=directory / "log")
    with System(settings) as running:
        yield running
