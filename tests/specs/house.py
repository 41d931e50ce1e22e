"""The rules of this house that no linter knows; each answers what breaks it, one line a place."""

import ast
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

CODE = ("services", "libs", "gateway", "deploy")
MODULE_LINES, FUNCTION_LINES, ROOT_LINES = 350, 70, 50

ROOMS = {"domain", "service", "views", "policy", "resources", "questions", "__init__", "__main__"}
"""Rooms that any context may have; a missing one means: none of that here."""

OWN_ROOMS = {
    "feedback": {
        "authority",
        "coding",  # languages, sentiment, themes: ports and the models behind them
        "digests",  # what the market said, composed
        "funnel",  # facts in columns, scanned at once
        "ranking",  # things by what is at stake in them
        "stakes",
        "trace",
        "watch",
    },
    "metrics": {
        "models",  # the likelihoods, pure
        "appraiser",
        "equity",
        "estimation",
        "snapshot",
        "valuation",
        "values",
        "watch",
    },
}
"""What a context needs beside them: a new room is a decision, and is written down here."""

NO_CONTEXTS = {"eventstore"}
"""A protocol in front of the engine: no domain, no rooms."""

_MACHINE = re.compile(r"(?<![\w.~-])/(?:root|home|Users|work)/[\w.-]+")
_REGISTRY = re.compile(r"--(?:extra-)?index-url|https?://(?:registry\.|[^\s\"'<>]*/simple(?:/|\b))")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _modules(root: Path, folders: Iterable[str]) -> Iterator[tuple[str, str]]:
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            yield path.relative_to(root).as_posix(), path.read_text()


def _functions(source: str) -> Iterator[Function]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Function):
            yield node


def undocumented_tests(root: Path) -> Iterator[str]:
    """Every test has a docstring that begins with a sentence."""
    for name, source in _modules(root, ("tests",)):
        for function in _functions(source):
            said = (ast.get_docstring(function) or "").partition("\n\n")[0]
            if function.name.startswith("test_") and not said.endswith("."):
                yield f"{name}: {function.name} does not say in a sentence what it shows"


def long_modules(root: Path) -> Iterator[str]:
    """No module is longer than a reader can hold in mind."""
    for name, source in _modules(root, CODE):
        lines = len(source.splitlines())
        if lines > MODULE_LINES:
            yield f"{name} has {lines} lines, of {MODULE_LINES} at most"


def long_functions(root: Path) -> Iterator[str]:
    """No function is longer than a screen."""
    for name, source in _modules(root, CODE):
        for function in _functions(source):
            lines = (function.end_lineno or function.lineno) - function.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{name}: {function.name} has {lines} lines, of {FUNCTION_LINES} at most"


def long_roots(root: Path) -> Iterator[str]:
    """A composition root composes, and does nothing else."""
    for name, source in _modules(root, ("services",)):
        lines = len(source.splitlines())
        if name.endswith("/__main__.py") and lines > ROOT_LINES:
            yield f"{name} has {lines} lines, of {ROOT_LINES} at most"


def strange_rooms(root: Path) -> Iterator[str]:
    """Every context has the same rooms, and those that are written down."""
    for context in sorted(path for path in (root / "services").iterdir() if path.is_dir()):
        if context.name in NO_CONTEXTS or context.name == "__pycache__":
            continue
        known = ROOMS | OWN_ROOMS.get(context.name, set())
        found = {path.stem for path in context.iterdir() if path.name != "__pycache__"}
        for room in sorted(found - known):
            yield f"services/{context.name}/{room} is no known room"


def addresses(root: Path) -> Iterator[str]:
    """Nothing that is committed names a directory of a machine or a package registry."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    for name in filter(None, listed):
        path = root / name
        if not path.is_file():
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if found := _MACHINE.search(line) or _REGISTRY.search(line):
                yield f"{name}:{number}: {found.group()}"


RULES = (
    undocumented_tests,
    long_modules,
    long_functions,
    long_roots,
    strange_rooms,
    addresses,
)
