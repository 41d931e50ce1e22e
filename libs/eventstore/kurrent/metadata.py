"""Stream metadata as the JSON in which KurrentDB keeps it."""

from libs.eventstore.port import StreamMetadata

_KEYS = {"max_count": "$maxCount", "max_age": "$maxAge", "truncate_before": "$tb"}


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
        if bound is not None and (type(bound) is not int or bound < 0):
            msg = f"stream metadata: {_KEYS[name]} is no whole number: {bound!r}"
            raise ValueError(msg)
    custom = {key: value for key, value in found.items() if key not in _KEYS.values()}
    return StreamMetadata(**bounds, custom=custom)
