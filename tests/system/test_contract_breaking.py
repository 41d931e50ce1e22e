"""The guard of the contract: nothing that breaks a reader of old events passes `make lint`."""

import importlib.util
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
EVENTS = "protos/equiloop/feedback/v1/events.proto"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("breaking", ROOT / "protos/breaking.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


breaking = _load()


def _git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository of its own whose one commit declares the contract stable."""
    shutil.copytree(ROOT / "protos", tmp_path / "protos")
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    (tmp_path / "build").mkdir()
    (tmp_path / "build/googleapis").symlink_to(ROOT / "build/googleapis")
    (tmp_path / ".gitignore").write_text("build\n")
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-q", "-m", "stable")
    return tmp_path


def _change(project: Path, old: str, new: str) -> None:
    path = project / EVENTS
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_an_added_field_is_compatible(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A field more is what a contract may always have."""
    _change(
        project, "string source_id = 10;", "string source_id = 10;\n  // New.\n  bool extra = 99;"
    )
    assert breaking.main(project) == 0
    assert "compatible with 1 earlier" in capsys.readouterr().out


def test_a_renumbered_field_is_found(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A field that takes another number would make old events unreadable."""
    _change(project, "string source_id = 10;", "string source_id = 12;")
    assert breaking.main(project) == 1
    assert "source_id" in capsys.readouterr().err


def test_what_a_later_version_added_is_kept_too(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not enough to keep the first version: a field added since must stay as well."""
    _change(
        project, "string source_id = 10;", "string source_id = 10;\n  // New.\n  bool extra = 99;"
    )
    _git(project, "commit", "-q", "-a", "-m", "one field more")
    _change(project, "\n  // New.\n  bool extra = 99;", "")
    _git(project, "commit", "-q", "-a", "-m", "and away again")
    assert breaking.main(project) == 1
    assert "extra" in capsys.readouterr().err


def test_a_contract_that_does_not_compile_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be compiled cannot be compared, and is no success."""
    _change(project, "message FeedbackReceived {", "message FeedbackReceived [")
    assert breaking.main(project) == 1
    assert capsys.readouterr().err
