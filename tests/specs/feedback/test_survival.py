"""The time until a customer is told, while others still wait."""

import doctest
from collections import Counter
from statistics import median_low

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.feedback.views import survival
from services.feedback.views.survival import median_time

days = st.lists(st.integers(0, 50), min_size=1, max_size=300)


def test_the_worked_example_is_right() -> None:
    """The example in the docstring, worked by hand, is what the code computes."""
    assert doctest.testmod(survival) == doctest.TestResults(failed=0, attempted=1)


@given(days)
def test_without_anybody_waiting_it_is_the_median(told: list[int]) -> None:
    """Where all were told it is the ordinary (lower) median, exactly."""
    durations = [(day, count, 0) for day, count in sorted(Counter(told).items())]
    assert median_time(durations, len(told)) == median_low(told)


@pytest.mark.parametrize("count", [24, 28, 30, 38, 1000, 1001])
def test_one_half_is_one_half(count: int) -> None:
    """The half is met when half are told, whatever a product of many factors is rounded to."""
    durations = [(day, 1, 0) for day in range(1, count + 1)]
    assert median_time(durations, count) == (count + 1) // 2


@given(days)
def test_while_nobody_is_told_there_is_none(waiting: list[int]) -> None:
    """Waiting alone, however long, gives no median; nor does nobody at all."""
    durations = [(day, 0, count) for day, count in sorted(Counter(waiting).items())]
    assert median_time(durations, len(waiting)) is None
    assert median_time([], 0) is None


def test_whoever_waits_counts_until_his_age() -> None:
    """Two told after 4 days: with two who wait it is reached if these left the risk set before."""
    assert median_time([(2, 0, 2), (4, 2, 0)], 4) == 4
    assert median_time([(4, 2, 2)], 4) == 4
    assert median_time([(4, 2, 0), (9, 0, 3)], 5) is None
