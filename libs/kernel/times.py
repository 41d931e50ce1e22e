"""Times that callers bring: things are told of once they have happened."""

from datetime import datetime, timedelta

from libs.kernel.refusals import Invalid

AHEAD = timedelta(days=1)
"""How far a time may lie ahead of our clock: tills run fast, and some send local time as UTC."""


def not_ahead(field: str, time: datetime, now: datetime) -> None:
    """Refuse a time that lies ahead of ``now``. Raises Invalid, naming its field."""
    if time > now + AHEAD:
        raise Invalid.field(field, "must not be in the future")
