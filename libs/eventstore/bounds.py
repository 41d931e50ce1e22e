"""What every store refuses before it looks at its log."""

from collections.abc import Sequence

from libs.eventstore import system
from libs.eventstore.port import (
    MAX_APPEND_EVENTS,
    MAX_EVENT_BYTES,
    MAX_STREAM_NAME,
    AccessDenied,
    ExpectedState,
    NewEvent,
    TooLarge,
)


def check_stream(stream: str) -> None:
    """Refuse a name that no stream can have. Raises TooLarge, ValueError."""
    size = len(stream.encode())
    if size > MAX_STREAM_NAME:  # the name of what a metastream governs is what counts
        size = len((system.governed(stream) or stream).encode())
    if size > MAX_STREAM_NAME:
        msg = f"stream name of {size} bytes: at most {MAX_STREAM_NAME} ({stream[:40]!r}…)"
        raise TooLarge(msg)
    if not stream or "\0" in stream:
        msg = f"stream name {stream!r} is empty or has a NUL character"
        raise ValueError(msg)


def check_own(stream: str) -> None:
    """Refuse to change a stream that the store keeps for itself. Raises AccessDenied."""
    if system.is_system(stream):
        msg = f"stream {stream!r}: those whose names begin with '$' are kept by the store"
        raise AccessDenied(msg)


def _check_metastream(stream: str, events: Sequence[NewEvent]) -> None:
    if system.governed(stream) is None:
        check_own(stream)
    elif events:
        system.read(events[-1].data)


def check_append(stream: str, events: Sequence[NewEvent], expected: ExpectedState) -> None:
    """Refuse an append that is too large or makes no sense.

    Raises TooLarge, ValueError, AccessDenied.
    """
    check_stream(stream)
    if system.is_system(stream):
        _check_metastream(stream, events)
    if isinstance(expected, int) and expected < 0:
        msg = f"stream {stream!r}: revision {expected} expected; say NO_STREAM, ANY or EXISTS"
        raise ValueError(msg)
    if len(events) > MAX_APPEND_EVENTS:
        msg = f"stream {stream!r}: {len(events)} events in an append: at most {MAX_APPEND_EVENTS}"
        raise TooLarge(msg)
    for event in events:
        if len(event.data) + len(event.metadata) > MAX_EVENT_BYTES:
            size = len(event.data) + len(event.metadata)
            msg = f"stream {stream!r}: {event.type} of {size} bytes: at most {MAX_EVENT_BYTES}"
            raise TooLarge(msg)
        if not event.type:
            msg = f"stream {stream!r}: event {event.id} has no type"
            raise ValueError(msg)
    if len(events) > 1 and len({event.id for event in events}) < len(events):
        msg = f"stream {stream!r}: one event id stands twice in an append"
        raise ValueError(msg)
