"""From a URL to a store."""

from pathlib import Path

import pytest

from libs.eventstore.connect import connect
from libs.eventstore.port import Expected, StoreUnavailable
from tests.contract.eventstore.scene import some


async def test_three_slashes_are_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """sqlite:///name is a file beneath the working directory."""
    monkeypatch.chdir(tmp_path)
    store = await connect("sqlite:///log.db")
    await store.append("order-1", some(1), Expected.NO_STREAM)
    await store.close()
    assert (tmp_path / "log.db").exists()


async def test_relative_path_is_settled_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store stays with its file when the process changes its working directory."""
    monkeypatch.chdir(tmp_path)
    store = await connect("sqlite:///log.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    await store.append("order-1", some(1), Expected.NO_STREAM)
    assert await store.head() == 1
    await store.close()
    assert list((tmp_path / "elsewhere").iterdir()) == []


async def test_four_slashes_are_absolute(tmp_path: Path) -> None:
    """sqlite:////path is an absolute path."""
    store = await connect(f"sqlite:///{tmp_path}/log.db")
    await store.close()
    assert (tmp_path / "log.db").exists()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "log.db",
        "postgres://localhost/log",
        "sqlite://log.db",
        "sqlite:///",
        "sqlite:///folder/",
        "sqlite:///:memory:",
        "sqlite:///log.db?mode=ro",
    ],
)
async def test_other_urls_are_refused(url: str) -> None:
    """A URL that names no store is refused with the ones that do."""
    with pytest.raises(ValueError, match="sqlite://"):
        await connect(url)


async def test_missing_directory_is_not_made(tmp_path: Path) -> None:
    """A log is not begun in a directory that is not there: the path is likely mistaken."""
    with pytest.raises(StoreUnavailable, match=r"missing/log\.db cannot be opened"):
        await connect(f"sqlite:///{tmp_path}/missing/log.db")
    assert not (tmp_path / "missing").exists()
