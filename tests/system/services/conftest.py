"""Customers, feedback and offers, once for all tests that call them without a gateway."""

from collections.abc import Iterator

import pytest

from tests.system.services.processes import Services, running


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Real processes on one log of their own."""
    directory = tmp_path_factory.mktemp("services")
    with running(directory, "customers", "feedback", "offers") as started:
        yield started
