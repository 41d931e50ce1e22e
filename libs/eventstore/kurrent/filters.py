"""The port's filter as the client's, which knows one kind at a time; the rest is done here."""

import re
from collections.abc import Callable
from typing import TypedDict

from libs.eventstore.port import Filter, RecordedEvent

OWN = r"\$.+"
"""Streams in which KurrentDB keeps its own events: statistics, indexes, metadata."""


class Wanted(TypedDict, total=False):
    """The arguments by which the client's methods take a filter."""

    filter_include: tuple[str, ...]
    filter_exclude: tuple[str, ...]
    filter_by_stream_name: bool
    filter_by_prefix: bool


def wanted(filter: Filter) -> Wanted:  # noqa: A002
    """Answer what the server shall select.

    The client joins patterns with "|" without grouping them; so they come as one group.
    """
    if filter.types:
        names = "|".join(re.escape(name) for name in sorted(filter.types))
        return Wanted(filter_include=(f"(?:{names})",))
    if filter.prefixes and "" not in filter.prefixes:
        return Wanted(
            filter_include=filter.prefixes, filter_by_stream_name=True, filter_by_prefix=True
        )
    return Wanted(filter_exclude=() if filter.system else (OWN,), filter_by_stream_name=True)


def selects(filter: Filter) -> Callable[[RecordedEvent], bool]:  # noqa: A002
    """Answer the whole condition.

    KurrentDB's own are streams that begin with "$" and, unless named, types that do.
    """
    types, prefixes, every = filter.types, filter.prefixes, filter.system

    def select(event: RecordedEvent) -> bool:
        if not every and (event.stream[:1] == "$" or (not types and event.type[:1] == "$")):
            return False
        return (not types or event.type in types) and (
            not prefixes or event.stream.startswith(prefixes)
        )

    return select


def selected_by_server(filter: Filter) -> bool:  # noqa: A002
    """Tell whether the server selects all by itself, so that it may count events, too."""
    return bool(filter.types) and not filter.prefixes
