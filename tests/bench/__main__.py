"""Measure, and write the page: `python -m tests.bench [store|commands|imports|rebuild …]`."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench import commands, equity, feedback, imports, rebuild, store
from tests.bench.report import PAGE, Row, page

MEASURES: dict[str, Callable[[Path], list[Row]]] = {
    "store": store.measure,
    "commands": commands.measure,
    "imports": imports.measure,
    "feedback": feedback.measure,
    "rebuild": rebuild.measure,
    "equity": equity.measure,
}


def main(chosen: list[str]) -> int:
    """Measure what is chosen, or all; only all is written to the page. 1 if a goal was missed."""
    unknown = sorted(set(chosen) - set(MEASURES))
    if unknown:
        print(f"bench: no measure {', '.join(unknown)}; there are {', '.join(MEASURES)}")
        return 2
    rows = []
    for name, measure in MEASURES.items():
        if chosen and name not in chosen:
            continue
        print(f"bench: {name} …", flush=True)
        with tempfile.TemporaryDirectory(prefix="equiloop-bench-") as folder:
            found = measure(Path(folder))
        for row in found:
            print(row.line(), flush=True)
        rows += found
    if not chosen:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page(rows))
        print(f"bench: written to {PAGE}")
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
