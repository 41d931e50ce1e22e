"""The processes that the short proofs kill."""

from collections.abc import Iterator

import pytest

from tests.verify.zygote import Zygote


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """Forks workers."""
    log = tmp_path_factory.mktemp("zygote") / "workers.log"
    preload = "tests.verify.spending", "tests.verify.stopping"
    with Zygote(log, *preload) as forking:
        yield forking
