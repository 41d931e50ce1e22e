"""Instants as the file keeps them: microseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(256)  # events committed together were recorded at the same time
def instant(microseconds: int) -> datetime:
    """Answer an instant of the file as an aware datetime."""
    return EPOCH + timedelta(microseconds=microseconds)
