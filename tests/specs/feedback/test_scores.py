"""NPS, CSAT and CES with their standard errors."""

import doctest
from math import sqrt
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.feedback.funnel import scores
from services.feedback.funnel.scores import Figure, ces, csat, nps


def test_the_worked_examples_are_right() -> None:
    """The examples, worked by hand, are what the code computes."""
    done = doctest.testmod(scores, optionflags=doctest.ELLIPSIS)
    assert done == doctest.TestResults(failed=0, attempted=3)


@pytest.mark.parametrize("compute", [nps, csat, ces])
def test_one_answer_has_no_error_and_none_no_figure(compute: object) -> None:
    """Of nothing nothing is said; one answer does not tell how sure it is."""
    assert callable(compute)
    assert compute({}) == Figure(None, None)
    assert compute({5: 1}).error is None
    assert compute({5: 1}).value is not None


@given(
    st.dictionaries(st.integers(0, 10), st.integers(1, 50), min_size=1).filter(
        lambda counts: sum(counts.values()) > 1
    )
)
def test_the_figures_are_those_of_the_answers_one_by_one(counts: dict[int, int]) -> None:
    """Each error is the standard deviation of what one answer contributes, over √n."""
    answers = [value for value, count in counts.items() for _ in range(count)]
    n = len(answers)
    promotes = [100.0 * ((value >= 9) - (value <= 6)) for value in answers]
    satisfied = [100.0 * (value >= 4) for value in answers]
    for figure, each, ddof in ((nps, promotes, 0), (csat, satisfied, 0), (ces, answers, 1)):
        value, error = figure(counts)
        spread = stdev(each) * (1 if ddof else sqrt((n - 1) / n))
        assert value == pytest.approx(mean(each), abs=1e-9)
        assert error == pytest.approx(spread / sqrt(n), abs=1e-6)
