"""The specs' own language notices what it is there to notice."""

from collections.abc import Sequence
from datetime import datetime

import pytest
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import Int64Value

from libs.decider import Aggregate
from libs.kernel.refusals import AlreadyExists, NotFound, Refusal
from tests.specs.given import NOW, given


def _add(state: int, event: Message) -> int:
    assert isinstance(event, Int64Value)
    return state + event.value


def _grow(by: int, state: int, now: datetime) -> Sequence[Message]:
    assert now == NOW
    if state + by > 10:
        raise Refusal("TOO_MUCH", "more than ten", limit="10")
    return [Int64Value(value=by)] if by else []


SUM = Aggregate("sum", "sums", 0, _add)


def test_what_follows_is_compared_event_by_event() -> None:
    """The right events pass; a wrong value, a missing and a surplus event each fail."""
    outcome = given(SUM, Int64Value(value=3)).when(_grow, 4)
    outcome.then(Int64Value(value=4))
    for wrong in ([Int64Value(value=5)], [], [Int64Value(value=4), Int64Value(value=4)]):
        with pytest.raises(AssertionError, match="other events follow"):
            outcome.then(*wrong)


def test_the_difference_is_shown_field_by_field() -> None:
    """A failure shows what was expected and what came, line by line."""
    with pytest.raises(AssertionError, match=r'(?s)-.*"5".*\n\+.*"4"'):
        given(SUM).when(_grow, 4).then(Int64Value(value=5))


def test_history_counts() -> None:
    """A refusal that only history explains is met after that history, and not without it."""
    given(SUM, Int64Value(value=8)).when(_grow, 4).refused(Refusal, "TOO_MUCH", limit="10")
    with pytest.raises(AssertionError, match="not refused"):
        given(SUM).when(_grow, 4).refused(Refusal)


def test_a_refusal_is_that_refusal_and_no_other() -> None:
    """Another kind (a parent class too), another reason or another figure fails."""
    outcome = given(SUM).when(_grow, 11)
    outcome.refused(Refusal)
    for kind, reason, figures in (
        (AlreadyExists, "TOO_MUCH", {}),
        (Refusal, "TOO_LITTLE", {}),
        (Refusal, "TOO_MUCH", {"limit": "11"}),
    ):
        with pytest.raises(AssertionError):
            outcome.refused(kind, reason, **figures)


def test_a_refusal_is_not_nothing() -> None:
    """Nothing follows from a no-op; a refusal is not taken for one, nor the other way round."""
    given(SUM).when(_grow, 0).then()
    with pytest.raises(AssertionError, match="TOO_MUCH"):
        given(SUM).when(_grow, 11).then()
    with pytest.raises(AssertionError, match="not refused"):
        given(SUM).when(_grow, 0).refused(NotFound)
