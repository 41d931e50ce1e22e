"""The CDNOW purchases: first buyers of early 1997, followed for 78 weeks.

``make data`` takes two files out of the ``lifetimes`` package: the whole cohort (23,570 customers,
69,659 purchases) and the sample of one customer in ten that the literature fits its models on.
Both name a customer by the number in the whole cohort.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

DATA = Path(__file__).parents[2] / "build" / "data"
MASTER = DATA / "CDNOW_master.txt"
SAMPLE = DATA / "CDNOW_sample.txt"

FIRST_DAY = date(1997, 1, 1)
CALIBRATION_DAY = date(1997, 9, 30)
"""End of the first 39 weeks, on which the literature fits its models."""
LAST_DAY = date(1998, 6, 30)

_ROW = re.compile(
    r"\s*(?P<customer>\d{5})(?:\s+\d{4})?\s+(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"
    r"\s+(?P<quantity>\d+)\s+(?P<dollars>\d+)\.(?P<cents>\d\d)\s*"
)
"""Customer, in the sample also the number within the sample, day, CDs, dollars."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """One purchase: CDs of one customer on one day, and what they cost in US cents."""

    customer: int
    day: date
    quantity: int
    cents: int


def read_master(path: Path = MASTER) -> Iterator[Purchase]:
    """Read the whole cohort, in the order of the file.

    Raises:
        FileNotFoundError: the file is not there; says what puts it there.
        ValueError: a line is no purchase; names file and line.
    """
    return _read(path, header_lines=1)


def read_sample(path: Path = SAMPLE) -> Iterator[Purchase]:
    """Read the sample of one customer in ten; raises as ``read_master`` does."""
    return _read(path, header_lines=0)


def _read(path: Path, header_lines: int) -> Iterator[Purchase]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing: run make data") from None
    for number, line in enumerate(lines[header_lines:], start=header_lines + 1):
        try:
            yield _purchase(line)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None


def _purchase(line: str) -> Purchase:
    row = _ROW.fullmatch(line)
    if row is None:
        raise ValueError(f"no purchase: {line!r}")
    return Purchase(
        customer=int(row["customer"]),
        day=date(int(row["year"]), int(row["month"]), int(row["day"])),
        quantity=int(row["quantity"]),
        cents=int(row["dollars"]) * 100 + int(row["cents"]),
    )
