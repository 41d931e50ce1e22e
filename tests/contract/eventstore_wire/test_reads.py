"""Reads of streams and of the log, with every kind of filter that clients send."""

import pytest
from kurrentdbclient import KurrentDBClient, StreamState
from kurrentdbclient.exceptions import GrpcError, NotFoundError

from tests.contract.eventstore_wire.scene import event, events, fresh


def given(client: KurrentDBClient, stream: str, *kinds: str) -> None:
    """A stream with an event of each kind."""
    new = [event(kind) for kind in kinds]
    client.append_to_stream(stream, events=new, current_version=StreamState.ANY)


def test_stream_is_read_both_ways(client: KurrentDBClient) -> None:
    """A stream read begins at its position, included, goes either way, and ends at its limit."""
    stream, new = fresh(), events(5)
    client.append_to_stream(stream, events=new, current_version=StreamState.NO_STREAM)
    assert list(client.get_stream(stream, stream_position=1, limit=2)) == new[1:3]
    assert list(client.get_stream(stream, backwards=True)) == new[::-1]
    assert list(client.get_stream(stream, stream_position=3, backwards=True)) == new[3::-1]
    assert client.get_current_version(stream) == 4


def test_missing_stream_is_not_found(client: KurrentDBClient) -> None:
    """A read of a stream that never was raises the client's error."""
    with pytest.raises(NotFoundError):
        client.get_stream(fresh())
    assert client.get_current_version(fresh()) is StreamState.NO_STREAM


def test_log_is_read_from_positions_as_in_kurrentdb(client: KurrentDBClient) -> None:
    """A position is included in a read forwards and left out of a read backwards."""
    stream, new = fresh(), events(4)
    client.append_to_stream(stream, events=new, current_version=StreamState.NO_STREAM)
    second = client.get_stream(stream)[1].commit_position
    assert next(client.read_all(commit_position=second)) == new[1]
    assert next(client.read_all(commit_position=second, backwards=True)) == new[0]
    assert next(client.read_all(backwards=True)) == new[3]
    assert list(client.read_all(commit_position=second, limit=2)) == new[1:3]


def test_head_is_the_position_of_the_last_event(client: KurrentDBClient) -> None:
    """The commit position is that of the last append."""
    position = client.append_to_stream(
        fresh(), events=events(2), current_version=StreamState.NO_STREAM
    )
    assert client.get_commit_position() == position


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"filter_include": ("Order.*",)}, {"OrderPlaced", "OrderPaid"}),
        ({"filter_include": ("OrderPaid", "Shipped")}, {"OrderPaid", "Shipped"}),
        ({"filter_include": ("(?:OrderPaid|Shipped)",)}, {"OrderPaid", "Shipped"}),
        ({"filter_exclude": ("Order.*",)}, {"Shipped"}),
        ({"filter_include": ("Order", "Sh"), "filter_by_prefix": True}, {"*"}),
        ({"filter_include": ("Ship",), "filter_by_prefix": True}, {"Shipped"}),
        ({"filter_exclude": ()}, {"*"}),
    ],
)
def test_types_are_filtered(
    client: KurrentDBClient, how: dict[str, object], expected: set[str]
) -> None:
    """Regular expressions and prefixes of types, included or excluded, select the events."""
    stream, kinds = fresh(), ("OrderPlaced", "OrderPaid", "Shipped")
    given(client, stream, *kinds)
    start = client.get_stream(stream)[0].commit_position
    found = [e.type for e in client.read_all(commit_position=start, **how)]  # type: ignore[arg-type]
    assert found == [kind for kind in kinds if kind in expected or expected == {"*"}]


def test_streams_are_filtered(client: KurrentDBClient) -> None:
    """Regular expressions and prefixes of stream names select the events."""
    root = fresh()
    for name in ("order-1", "order-2", "item-1"):
        given(client, f"{root}{name}", "Noted")

    def found(*include: str, prefix: bool) -> list[str]:
        read = client.read_all(
            filter_include=include, filter_by_stream_name=True, filter_by_prefix=prefix
        )
        return [e.stream_name.removeprefix(root) for e in read]

    assert found(f"{root}order-", prefix=True) == ["order-1", "order-2"]
    assert found(f"{root}item", f"{root}order-2", prefix=True) == ["order-2", "item-1"]
    assert found(rf"{root}.*-1", prefix=False) == ["order-1", "item-1"]


def test_limit_counts_what_the_filter_selects(client: KurrentDBClient) -> None:
    """A limited read with a regular expression ends after that many matches."""
    stream = fresh()
    given(client, stream, *(f"{stream}{n}" for n in range(100)))
    how = {"filter_include": (f"{stream}.*5",), "limit": 3}
    assert [e.stream_position for e in client.read_all(**how)] == [5, 15, 25]  # type: ignore[arg-type]
    backwards = client.read_all(backwards=True, **how)  # type: ignore[arg-type]
    assert [e.stream_position for e in backwards] == [95, 85, 75]


def test_bad_regular_expression_is_refused(client: KurrentDBClient) -> None:
    """A filter that is no regular expression ends the read and says why."""
    with pytest.raises(GrpcError, match="unterminated"):
        list(client.read_all(filter_include=("(",)))
