"""What the adapter sends as a filter, by the client, and what the server makes of it."""

import re
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from kurrentdbclient.common import (
    construct_filter_exclude_regex,
    construct_filter_include_regex,
)
from kurrentdbclient.protos.v1.streams_pb2 import ReadReq

from libs.eventstore.kurrent.filters import selects, wanted
from libs.eventstore.port import Filter, RecordedEvent
from services.eventstore.filters import exact_names, sieve

NAMES = st.text(min_size=1, max_size=12)


def recorded(stream: str, kind: str) -> RecordedEvent:
    """An event of a kind in a stream."""
    now = datetime.now(UTC)
    return RecordedEvent(UUID(int=1), kind, b"", b"", stream, 0, 1, now)


@given(st.frozensets(NAMES, min_size=1, max_size=6))
def test_exact_types_reach_the_store_as_such(types: frozenset[str]) -> None:
    """Whatever characters types have, the store is asked for exactly these."""
    (pattern,) = wanted(Filter(types=types))["filter_include"]
    assert exact_names(construct_filter_include_regex([pattern])) == types


@given(st.frozensets(NAMES, min_size=1, max_size=6), NAMES)
def test_pattern_for_types_matches_no_other(types: frozenset[str], other: str) -> None:
    """The pattern that the adapter sends matches, for any other server, just the types named."""
    (pattern,) = wanted(Filter(types=types))["filter_include"]
    regex = re.compile(construct_filter_include_regex([pattern]))
    assert all(regex.search(name) for name in types)
    if other.rstrip("\n") not in {name.rstrip("\n") for name in types}:  # "$" ignores a last \n
        assert not regex.search(other)


LITTLE = st.text(alphabet="ab|\\.()?:^$", max_size=8)


@given(LITTLE, LITTLE)
def test_only_literals_are_taken_for_names(inner: str, other: str) -> None:
    """A regular expression is taken for names only if it matches these and nothing besides."""
    regex = f"^(?:{inner})$"
    if (names := exact_names(regex)) is not None:
        assert all(re.search(regex, name) for name in names)
        assert bool(re.search(regex, other)) == (other in names)


@given(
    st.frozensets(NAMES, max_size=3),
    st.lists(st.text(max_size=4), max_size=3).map(tuple),
    NAMES,
    NAMES,
)
def test_server_and_adapter_select_together_what_the_port_says(
    types: frozenset[str], prefixes: tuple[str, ...], stream: str, kind: str
) -> None:
    """An event is selected just when it has one of the types and one of the prefixes."""
    filter, event = Filter(types, prefixes), recorded(stream, kind)  # noqa: A001
    at_server = sieve(request(filter))
    seen = [
        e
        for e in at_server.sift([event])
        if (not at_server.filter.types or e.type in at_server.filter.types)
        and (not at_server.filter.prefixes or e.stream.startswith(at_server.filter.prefixes))
    ]
    of_type = kind in types if types else not kind.startswith("$")
    of_stream = stream.startswith(prefixes) if prefixes else types or not stream.startswith("$")
    assert [e for e in seen if selects(filter)(e)] == ([event] if of_type and of_stream else [])


def request(filter: Filter) -> ReadReq.Options:  # noqa: A002
    """The options that the client would send for what the adapter wants."""
    how, options = wanted(filter), ReadReq.Options()
    by_stream = how.get("filter_by_stream_name", False)
    expression = options.filter.stream_identifier if by_stream else options.filter.event_type
    if how.get("filter_by_prefix"):
        expression.prefix.extend(how["filter_include"])
    elif "filter_include" in how:
        expression.regex = construct_filter_include_regex(how["filter_include"])
    else:
        expression.regex = construct_filter_exclude_regex(how["filter_exclude"])
    return options
