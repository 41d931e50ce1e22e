"""Deleting streams, ending them, and governing them by metadata."""

import pytest
from kurrentdbclient import KurrentDBClient, StreamState
from kurrentdbclient.exceptions import (
    BadRequestError,
    NotFoundError,
    StreamIsDeletedError,
    WrongCurrentVersionError,
)

from tests.contract.eventstore_wire.scene import event, events, fresh


@pytest.fixture
def stream(client: KurrentDBClient) -> str:
    """A stream of five events."""
    name = fresh()
    client.append_to_stream(name, events=events(5), current_version=StreamState.NO_STREAM)
    return name


def test_deleted_stream_is_not_found_and_goes_on(client: KurrentDBClient, stream: str) -> None:
    """A deleted stream is not found; a later append goes on with the next revision."""
    client.delete_stream(stream, current_version=4)
    with pytest.raises(NotFoundError):
        client.get_stream(stream)
    client.append_to_stream(stream, events=event(), current_version=StreamState.NO_STREAM)
    assert [e.stream_position for e in client.get_stream(stream)] == [5]


def test_unmet_expectations_end_nothing(client: KurrentDBClient, stream: str) -> None:
    """Deletes and tombstones raise the client's errors where the stream is not as expected."""
    for end in (client.delete_stream, client.tombstone_stream):
        with pytest.raises(WrongCurrentVersionError) as conflict:
            end(stream, current_version=2)
        assert (conflict.value.actual_version, conflict.value.expected_version) == (4, 2)
        for expected in (StreamState.EXISTS, 3):
            with pytest.raises(NotFoundError):
                end(fresh(), current_version=expected)
    assert len(client.get_stream(stream)) == 5


def test_names_may_have_any_character(client: KurrentDBClient) -> None:
    """A name with line ends, quotes, letters of any alphabet comes back whole in errors, too."""
    stream = fresh("line\nend 'quoted' Größe \\ 🎈")
    client.append_to_stream(stream, events=events(2), current_version=StreamState.NO_STREAM)
    assert client.get_stream(stream)[0].stream_name == stream
    with pytest.raises(NotFoundError):
        client.delete_stream(fresh(stream), current_version=3)
    with pytest.raises(WrongCurrentVersionError):
        client.append_to_stream(stream, events=event(), current_version=7)
    client.tombstone_stream(stream, current_version=1)
    with pytest.raises(StreamIsDeletedError, match="Größe"):
        client.get_stream(stream)


def test_tombstoned_stream_is_deleted_for_ever(client: KurrentDBClient, stream: str) -> None:
    """Whatever is done with a tombstoned stream raises the client's error."""
    client.tombstone_stream(stream, current_version=StreamState.ANY)
    for action in (
        lambda: client.get_stream(stream),
        lambda: client.delete_stream(stream, current_version=StreamState.ANY),
        lambda: client.tombstone_stream(stream, current_version=StreamState.ANY),
        lambda: client.get_stream_metadata(stream),
    ):
        with pytest.raises(StreamIsDeletedError):
            action()


def test_metadata_governs_what_reads_show(client: KurrentDBClient, stream: str) -> None:
    """Metadata comes back with its version, is replaced at it, and hides events from reads."""
    assert client.get_stream_metadata(stream) == ({}, StreamState.NO_STREAM)
    client.set_stream_metadata(
        stream, metadata={"$maxCount": 2, "owner": "Zoë"}, current_version=StreamState.NO_STREAM
    )
    metadata, version = client.get_stream_metadata(stream)
    assert metadata == {"$maxCount": 2, "owner": "Zoë"}
    assert [e.stream_position for e in client.get_stream(stream)] == [3, 4]
    with pytest.raises(WrongCurrentVersionError):
        client.set_stream_metadata(stream, metadata={}, current_version=StreamState.NO_STREAM)
    client.set_stream_metadata(stream, metadata={"$tb": 1}, current_version=version)
    assert [e.stream_position for e in client.get_stream(stream)] == [1, 2, 3, 4]


@pytest.mark.parametrize("data", [b"", b"no json", b"[]", b'{"$maxCount": "2"}', b'{"$tb": -1}'])
def test_what_is_no_metadata_is_refused(client: KurrentDBClient, stream: str, data: bytes) -> None:
    """An append to a metastream must carry a JSON object with whole numbers for its bounds."""
    with pytest.raises(BadRequestError):
        client.append_to_stream(
            f"$${stream}", events=[event("$metadata", data)], current_version=StreamState.ANY
        )
    assert client.get_stream_metadata(stream) == ({}, StreamState.NO_STREAM)
