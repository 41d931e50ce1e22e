"""What a store keeps for itself, as KurrentDB does: streams whose names begin with `$`.

What governs stream `x` are `$metadata` events, JSON, in the metastream `$$x`, of which the newest
counts. `$streams` lists all streams, in the order of their first events, by links to these.
Clients append to metastreams alone.
"""

import json

from libs.eventstore.port import StreamMetadata

SYSTEM = "$"
META = "$$"
METADATA = "$metadata"
"""Type of the events in metastreams."""

STREAMS = "$streams"
LINK = "$>"
"""Type of an event that points to another: its data are `revision@stream`."""

_KEYS = {"max_count": "$maxCount", "max_age": "$maxAge", "truncate_before": "$tb"}
_MOST = (1 << 63) - 1


def is_system(stream: str) -> bool:
    """Tell a stream of the store's own by its name."""
    return stream.startswith(SYSTEM)


def governed(stream: str) -> str | None:
    """Answer which stream a metastream governs; None for what is no metastream.

    The store's own streams are not governed.
    """
    name = stream.removeprefix(META)
    return name if stream.startswith(META) and name and not is_system(name) else None


def read(data: bytes) -> StreamMetadata:
    """Answer the metadata that an event of a metastream carries. Raises ValueError for any else."""
    try:
        return from_json(json.loads(data))
    except RecursionError as error:
        msg = "stream metadata is nested too deep"
        raise ValueError(msg) from error


def written(metadata: StreamMetadata) -> bytes:
    """Answer the data of an event that puts this metadata in place."""
    return json.dumps(to_json(metadata), ensure_ascii=False).encode()


def to_json(metadata: StreamMetadata) -> dict[str, object]:
    """Answer metadata under KurrentDB's keys: those that are set."""
    bounds = {key: getattr(metadata, name) for name, key in _KEYS.items()}
    return metadata.custom | {key: bound for key, bound in bounds.items() if bound is not None}


def from_json(found: object) -> StreamMetadata:
    """Answer the metadata in a parsed JSON document. Raises ValueError where it is none."""
    if not isinstance(found, dict):
        msg = "stream metadata is not a JSON object"
        raise ValueError(msg)
    bounds = {name: found.get(key) for name, key in _KEYS.items()}
    for name, bound in bounds.items():
        if bound is not None and (type(bound) is not int or not 0 <= bound <= _MOST):
            msg = f"stream metadata: {_KEYS[name]} is no whole number up to 2^63: {bound!r}"
            raise ValueError(msg)
    custom = {key: value for key, value in found.items() if key not in _KEYS.values()}
    return StreamMetadata(**bounds, custom=custom)
