"""The house is as its plan says; each rule finds a fault that is planted for it."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.specs import house

Rule = Callable[[Path], Iterator[str]]


@pytest.mark.parametrize("rule", house.RULES, ids=lambda rule: rule.__name__)
def test_the_house_is_in_order(rule: Rule) -> None:
    """Nothing in this repository breaks the rule."""
    assert list(rule(house.ROOT)) == []


def lines(count: int) -> str:
    return "x = 1\n" * count


def function(count: int) -> str:
    return "def f():\n" + "    x = 1\n" * (count - 1)


PLANTED: list[tuple[Rule, str, str, str]] = [
    (
        house.undocumented_tests,
        "tests/test_a.py",
        'class A:\n    async def test_a(self):\n        """Says."""\n',
        'class A:\n    async def test_a(self):\n        """No sentence"""\n',
    ),
    (
        house.undocumented_tests,
        "tests/deep/test_a.py",
        "def a():\n    x = 1\n",
        "def test_a():\n    x = 1\n",
    ),
    (house.long_modules, "libs/a.py", lines(350), lines(351)),
    (house.long_functions, "deploy/a.py", function(70), function(71)),
    (house.long_functions, "gateway/a.py", function(70), "async " + function(71)),
    (house.long_roots, "services/a/__main__.py", lines(50), lines(51)),
    (house.addresses, "a.md", "var/data /work", "see " + "/home" + "/somebody/notes"),
    (house.addresses, "a.toml", "https://example.org", 'x = "' + "/wo" + 'rk/main"'),
    (house.addresses, "a.lock", "numpy==2.0", "--index" + "-url https://example.org"),
    (house.addresses, "a.json", "registry of types", '"https://' + 'registry.example.org/a"'),
]


@pytest.mark.parametrize(("rule", "name", "right", "wrong"), PLANTED)
def test_a_planted_fault_is_found(
    rule: Rule, name: str, right: str, wrong: str, tmp_path: Path
) -> None:
    """The rule passes what is just right, and finds what is just wrong, by its place."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    path.write_text(right)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    assert list(rule(tmp_path)) == []
    path.write_text(wrong)
    (found,) = rule(tmp_path)
    assert name in found


def test_a_strange_room_is_found(tmp_path: Path) -> None:
    """A room of another context, or of none, is no room here; the known ones are."""
    for name in ("feedback/domain", "feedback/views", "eventstore/wire"):
        (tmp_path / "services" / name).mkdir(parents=True)
    (tmp_path / "services/feedback/stakes.py").touch()
    assert list(house.strange_rooms(tmp_path)) == []
    (tmp_path / "services/feedback/helpers.py").touch()
    (tmp_path / "services/offers/stakes").mkdir(parents=True)
    assert list(house.strange_rooms(tmp_path)) == [
        "services/feedback/helpers is no known room",
        "services/offers/stakes is no known room",
    ]
