"""What the tests share: names that no other test uses, and events."""

import json
from uuid import uuid4

from kurrentdbclient import NewEvent


def fresh(word: str = "order") -> str:
    """A stream name, or a beginning of such, that no other test uses."""
    return f"{word}{uuid4().hex[:12]}"


def event(kind: str = "Noted", data: bytes = b"{}") -> NewEvent:
    """A new event."""
    return NewEvent(type=kind, data=data, metadata=json.dumps({"actor": "wire"}).encode())


def events(count: int, kind: str = "Noted") -> list[NewEvent]:
    """New events."""
    return [event(kind) for _ in range(count)]
