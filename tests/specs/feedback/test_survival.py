"""The time until a customer is told, while others still wait."""

import doctest
from itertools import pairwise
from statistics import median_low

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.feedback.funnel import survival as module
from services.feedback.funnel.survival import Survival, survival

days = st.lists(st.integers(0, 50), min_size=1, max_size=300)


def closing(told: list[int], waiting: list[int]) -> Survival:
    """The estimate for items told after some days, and others that wait for some."""
    return survival(np.array(told, np.int64), np.array(waiting, np.int64))


def test_the_worked_example_is_right() -> None:
    """The example in the docstring, worked by hand, is what the code computes."""
    assert doctest.testmod(module) == doctest.TestResults(failed=0, attempted=1)


@given(days)
def test_without_anybody_waiting_it_is_the_median(told: list[int]) -> None:
    """Where all were told it is the ordinary (lower) median, exactly."""
    assert closing(told, []).median == median_low(told)


@pytest.mark.parametrize("count", [24, 28, 30, 38, 1000, 1001])
def test_one_half_is_one_half(count: int) -> None:
    """The half is met when half are told, whatever a product of many factors is rounded to."""
    assert closing(list(range(1, count + 1)), []).median == (count + 1) // 2


@given(days)
def test_while_nobody_is_told_there_is_none(waiting: list[int]) -> None:
    """Waiting alone, however long, gives no median; nor does nobody at all."""
    assert closing([], waiting).median is None
    assert closing([], []).median is None


def test_whoever_waits_counts_until_his_age() -> None:
    """Two told after 4 days: with two who wait it is reached if these left the risk set before."""
    assert closing([4, 4], [2, 2]).median == 4
    assert closing([4, 4], [4, 4]).median == 4
    assert closing([4, 4], [9, 9, 9]).median is None


@given(days, days)
def test_the_share_only_falls(told: list[int], waiting: list[int]) -> None:
    """A point for each duration after which somebody was told, the share falling at each."""
    curve = closing(told, waiting)
    assert curve.durations.tolist() == sorted(set(told))
    shares = [1.0, *curve.shares.tolist()]
    assert all(before > after >= 0 for before, after in pairwise(shares))
    assert curve.thinned(3).durations.tolist()[-1] == max(told)
