"""The checker of the flood: millions of rows, so in columns.

What was acknowledged is what each observer must have seen: all of it that matches his filter,
once, in the order of positions.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tests.verify.findings import Finding
from tests.verify.flooding import APPENDED

Rows = npt.NDArray[np.void]

ROW = np.dtype(
    [
        ("what", "u1"),
        ("writer", "<u4"),
        ("number", "<u4"),
        ("label", "<u4"),
        ("revision", "<i8"),
        ("position", "<i8"),
        ("begun", "<i8"),
        ("acknowledged", "<i8"),
    ]
)
"""The record in which processes say what they saw."""


def rows(heard: bytes | bytearray) -> tuple[Rows, Rows]:
    """Answer the appends and the sightings in what a process has said."""
    whole = np.frombuffer(bytes(heard[: len(heard) // ROW.itemsize * ROW.itemsize]), ROW)
    appended = whole["what"] == APPENDED
    return whole[appended], whole[~appended]


def in_order(appends: Rows) -> Rows:
    """Answer appends in the order of their positions."""
    return appends[np.argsort(appends["position"], kind="stable")]


def compare(seen: Rows, expected: Rows) -> Iterator[Finding]:
    """Hold what an observer saw against what there was for him to see, in order of position."""
    mine, theirs = _keys(seen), _keys(expected)
    known, firsts, times = np.unique(mine, return_index=True, return_counts=True)
    yield from _some("missed", np.setdiff1d(theirs, known))
    yield from _some("phantom", np.setdiff1d(known, theirs))
    yield from _some("doubled", known[times > 1])
    back = np.flatnonzero(np.diff(seen["position"]) < 0) + 1
    yield from _some("reordered", seen["position"][back])
    order = np.argsort(theirs, kind="stable")
    both = np.isin(known, theirs)
    found = order[np.searchsorted(theirs[order], known[both])]
    same = np.ones(len(found), bool)
    for column in ("label", "revision", "position"):
        same &= seen[column][firsts[both]] == expected[column][found]
    yield from _some("altered", known[both][~same])


def order(appends: Rows) -> Iterator[Finding]:
    """Check appends in order of position: streams without gaps, and nothing before its time."""
    position = appends["position"]
    yield from _some("disordered", position[1:][np.diff(position) <= 0])
    by_stream = np.lexsort((position, appends["label"] // 3))
    stream, revision = appends["label"][by_stream] // 3, appends["revision"][by_stream]
    first = np.concatenate(([True], stream[1:] != stream[:-1]))
    due = np.arange(len(stream)) - np.maximum.accumulate(np.where(first, np.arange(len(stream)), 0))
    yield from _some("disordered", position[by_stream][revision != due])
    # Whatever stands behind must not have been acknowledged before this one was begun.
    behind = np.minimum.accumulate(appends["acknowledged"][::-1])[::-1]
    yield from _some("untimely", position[:-1][behind[1:] < appends["begun"][:-1]])


def _keys(table: Rows) -> npt.NDArray[np.int64]:
    keys: npt.NDArray[np.int64] = table["writer"].astype(np.int64) << 32 | table["number"]
    return keys


def _some(kind: str, values: npt.NDArray[np.int64]) -> Iterator[Finding]:
    """One finding for all of a kind, with the first few."""
    if len(values):
        yield Finding(kind, f"{len(values)}: {values[:5].tolist()}")
