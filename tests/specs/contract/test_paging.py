"""Pages: sizes are coerced, tokens come back unharmed and to their own list only."""

import base64

import pytest
from equiloop.feedback.v1 import service_pb2 as api
from hypothesis import given
from hypothesis import strategies as st

from libs.chassis.paging import Page
from libs.kernel.refusals import Invalid

keys = st.lists(st.one_of(st.integers(), st.text()), min_size=1, max_size=3)


def after(request: api.ListFeedbackRequest | api.ListOpenLoopsRequest) -> list[object] | None:
    return Page.of(request).after


def refused(token: str, **fields: object) -> str:
    with pytest.raises(Invalid) as caught:
        after(api.ListFeedbackRequest(page_token=token, **fields))  # type: ignore[arg-type]
    (violation,) = caught.value.violations
    assert violation.field == "page_token"
    return violation.description


@pytest.mark.parametrize(("asked", "size"), [(0, 100), (1, 1), (1000, 1000), (1001, 1000)])
def test_sizes_are_coerced(asked: int, size: int) -> None:
    """Zero means the default, more than the most means the most."""
    assert Page.of(api.ListFeedbackRequest(page_size=asked)).size == size


def test_a_list_may_have_a_default_of_its_own() -> None:
    """A list without page tokens pages by its own default size."""
    assert Page.of(api.RankThemesRequest(), default=20).size == 20


def test_a_negative_size_is_refused() -> None:
    """A page cannot have fewer than no items."""
    with pytest.raises(Invalid, match="page_size"):
        Page.of(api.ListFeedbackRequest(page_size=-1))


@given(keys, st.integers(0, 2000), st.integers(0, 2000))
def test_a_token_goes_on_where_the_page_ended(key: list[object], first: int, then: int) -> None:
    """The next page begins after the key of the last item, whatever the sizes."""
    token = Page.of(api.ListFeedbackRequest(theme="battery", page_size=first)).token(key)
    asked = api.ListFeedbackRequest(theme="battery", page_size=then, page_token=token)
    assert after(asked) == key


def test_a_token_belongs_to_its_question() -> None:
    """Other conditions, or another list with the same conditions, refuse it."""
    token = Page.of(api.ListFeedbackRequest(theme="battery")).token([7])
    assert refused(token, theme="screen") == "belongs to a list with other conditions"
    token = Page.of(api.ListFeedbackRequest()).token([7])
    with pytest.raises(Invalid, match="other conditions"):
        after(api.ListOpenLoopsRequest(page_token=token))


@pytest.mark.parametrize("token", ["x", "%%%%", "é", "AAAAAAAAAAAA", "W1tbW1s", "bnVsbA"])
def test_what_was_never_a_token_is_refused(token: str) -> None:
    """Anything else than a token is refused as such."""
    assert refused(token) == "is not a token that was given out"


@given(st.data())
def test_a_harmed_token_is_refused(data: st.DataObject) -> None:
    """A token cut short, or with one byte changed, is not taken for another place."""
    token = Page.of(api.ListFeedbackRequest()).token([123_456])
    whole = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    harmed = base64.urlsafe_b64encode(bytes(whole)).decode().rstrip("=")
    assert refused(harmed) == "is not a token that was given out"
    assert refused(token[:-1])
