"""The reader of the CDNOW files: what it finds, and what it says when something is wrong."""

from dataclasses import astuple
from datetime import date
from pathlib import Path

import pytest

from deploy.demo import cdnow


def test_the_master_file_is_the_whole_cohort() -> None:
    """All 69,659 purchases of 23,570 customers are read, to the cent and to the day."""
    purchases = list(cdnow.read_master())

    assert len(purchases) == 69_659
    assert len({p.customer for p in purchases}) == 23_570
    assert sum(p.cents for p in purchases) == 250_031_563
    assert min(p.day for p in purchases) == cdnow.FIRST_DAY
    assert max(p.day for p in purchases) == cdnow.LAST_DAY


def test_the_sample_names_customers_as_the_master_file_does() -> None:
    """Every purchase of the 2,357 sampled customers stands in the master file too."""
    master, sample = list(cdnow.read_master()), list(cdnow.read_sample())
    sampled = {p.customer for p in sample}

    assert len(sample) == 6_919
    assert len(sampled) == 2_357
    assert sorted(map(astuple, sample)) == sorted(
        astuple(p) for p in master if p.customer in sampled
    )


def test_amounts_are_read_as_decimals(tmp_path: Path) -> None:
    """Cents are exact where binary fractions of dollars are not (4.35 dollars are 435 cents)."""
    file = tmp_path / "sample.txt"
    file.write_text(" 00004 0001 19970101  2    4.35\r\n")

    assert list(cdnow.read_sample(file)) == [cdnow.Purchase(4, date(1997, 1, 1), 2, 435)]


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """Without the data the reader names the file and the command that fetches it."""
    with pytest.raises(FileNotFoundError, match=r"master\.txt is missing: run make data"):
        list(cdnow.read_master(tmp_path / "master.txt"))


@pytest.mark.parametrize(
    "line",
    [
        "00004 19970101 2",
        "00004 19971301 2 29.33",
        "00004 19970101 2 29.3",
        "00004 19970101 2 -1.00",
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    """A line that is no purchase stops the reading with its number, not with a wrong amount."""
    file = tmp_path / "master.txt"
    file.write_text(f"header\n00003 19970101 1 10.00\n{line}\n")

    with pytest.raises(ValueError, match=r"master\.txt, line 3: "):
        list(cdnow.read_master(file))
