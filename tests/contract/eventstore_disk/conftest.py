"""A disk that can be full or fail."""

from collections.abc import Iterator

import pytest

from tests.contract.eventstore_disk.disk import Disk, troubled


@pytest.fixture
def disk() -> Iterator[Disk]:
    """The disk under all files that the test opens."""
    with troubled() as disk:
        yield disk
