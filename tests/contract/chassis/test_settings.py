"""Settings come from the environment; what is wrong with them is told in one line."""

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from libs.chassis.main import main
from libs.chassis.settings import Settings
from services.feedback.__main__ import compose


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Start from no settings but places of the test's own, and put the loggers back."""
    monkeypatch.setenv("EQUILOOP_STORE", f"sqlite:///{tmp_path}/events.db")
    monkeypatch.setenv("EQUILOOP_DATA", str(tmp_path))
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


def last_words() -> str:
    """Run the feedback service, which cannot start, and answer what it says."""
    with pytest.raises(SystemExit) as caught:
        main("feedback", compose)
    words = str(caught.value)
    assert words.startswith("feedback: ")
    assert "\n" not in words
    return words


def test_the_environment_sets_what_there_is_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each variable has its prefix, whatever its case; what is not set has its default."""
    monkeypatch.setenv("EQUILOOP_DEADLINE", "2.5")
    monkeypatch.setenv("equiloop_log_level", "debug")
    settings = Settings()
    assert (settings.deadline, settings.log_level, settings.max_concurrent) == (2.5, "debug", 512)


def test_a_service_listens_where_the_others_look_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service's address is its own unless EQUILOOP_LISTEN says otherwise."""
    assert Settings().address("offers") == "127.0.0.1:50053"
    monkeypatch.setenv("EQUILOOP_OFFERS", "offers:1")
    assert Settings().address("offers") == "offers:1"
    monkeypatch.setenv("EQUILOOP_LISTEN", "[::]:50051")
    assert Settings().address("offers") == "[::]:50051"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEADLINE", "0"),
        ("DEADLINE", "soon"),
        ("DRAIN", "-1"),
        ("MAX_CONCURRENT", "0"),
        ("MAX_MESSAGE", "4 MiB"),
        ("LOG_LEVEL", "chatty"),
    ],
)
def test_wrong_settings_are_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service with a wrong setting ends at once, with the variable and why."""
    monkeypatch.setenv(f"EQUILOOP_{name}", value)
    with pytest.raises(ValidationError):
        Settings()
    assert f"EQUILOOP_{name}: " in last_words()


@pytest.mark.parametrize("url", ["postgres://localhost/log", "sqlite://here", "nonsense"])
def test_a_store_that_there_is_not_is_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store's URL of no known kind ends the service with one line that names it."""
    monkeypatch.setenv("EQUILOOP_STORE", url)
    assert url in last_words()


def test_a_log_that_is_none_is_named(tmp_path: Path) -> None:
    """A file that is no log ends the service with its path and what to do."""
    (tmp_path / "events.db").write_bytes(b"not a database" * 1000)
    assert "events.db" in last_words()


def test_a_port_in_use_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that somebody else has ends the service with one line that names it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("EQUILOOP_LISTEN", address)
        assert address in last_words()
