"""Stream metadata, which KurrentDB keeps as `$metadata` events in the stream `$$<stream>`.

The port keeps what governs a stream now, and no history of it: so a metastream shows at most one
event, at revision 0, which every append to the metastream replaces.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from libs.eventstore.kurrent.metadata import from_json, to_json
from libs.eventstore.port import (
    Appended,
    EventStore,
    Expected,
    ExpectedState,
    NewEvent,
    RecordedEvent,
    StreamMetadata,
    StreamNotFound,
    WrongExpectedRevision,
)
from services.eventstore.wire import BadRequest

PREFIX = "$$"
TYPE = "$metadata"


def is_metastream(name: str) -> bool:
    """Tell a metastream by its name."""
    return name.startswith(PREFIX)


async def read(store: EventStore, name: str) -> RecordedEvent:
    """Answer the one event of metastream `name`. Raises StreamNotFound where nothing was set."""
    metadata = await store.get_stream_metadata(name.removeprefix(PREFIX))
    if metadata == StreamMetadata():
        raise StreamNotFound(f"stream {name!r}: nothing was set")
    data = json.dumps(to_json(metadata)).encode()
    return RecordedEvent(
        id=uuid5(NAMESPACE_URL, f"{name}:{data!r}"),
        type=TYPE,
        data=data,
        metadata=b"",
        stream=name,
        revision=0,
        position=0,
        recorded_at=datetime.fromtimestamp(0, UTC),
    )


async def append(
    store: EventStore, name: str, events: Sequence[NewEvent], expected: ExpectedState
) -> Appended:
    """Set the metadata that the last of `events` carries, as JSON.

    Raises WrongExpectedRevision, and ValueError for what is no metadata.
    """
    if not events:
        raise BadRequest(f"an append to {name!r} needs an event")
    metadata = from_json(json.loads(events[-1].data))
    try:
        actual: int | None = (await read(store, name)).revision
    except StreamNotFound:
        actual = None
    if not _holds(expected, actual):
        raise WrongExpectedRevision(name, expected, actual)
    await store.set_stream_metadata(name.removeprefix(PREFIX), metadata)
    return Appended(revision=0, position=0)


def _holds(expected: ExpectedState, actual: int | None) -> bool:
    match expected:
        case Expected.ANY:
            return True
        case Expected.NO_STREAM:
            return actual is None
        case Expected.EXISTS:
            return actual is not None
        case revision:
            return revision == actual
