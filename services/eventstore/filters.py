"""What a reader wants of the log: as much as possible left to the store, the rest sifted here."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from kurrentdbclient.protos.v1.streams_pb2 import ReadReq

from libs.eventstore.port import Filter, RecordedEvent
from services.eventstore.wire import BadRequest

MAX_REGEX = 64 << 10
"""Longest regular expression, in characters."""

EVERYTHING = Filter(system=True)

Expression = ReadReq.Options.FilterOptions.Expression


@dataclass(frozen=True)
class Sieve:
    """`filter` is what the store selects by itself; of that, `accepts` (None: all) is wanted.

    The store's own events are selected like all others: clients leave them out by their filters.
    """

    filter: Filter = EVERYTHING
    accepts: Callable[[RecordedEvent], object] | None = None

    def sift(self, events: Sequence[RecordedEvent]) -> Sequence[RecordedEvent]:
        """Answer those of `events` that are wanted, in order."""
        return events if self.accepts is None else [e for e in events if self.accepts(e)]


def sieve(options: ReadReq.Options) -> Sieve:
    """Answer the sieve for a request's filter. Raises BadRequest for a bad regular expression."""
    match options.filter.WhichOneof("filter"):
        case "stream_identifier":
            return _by_stream(options.filter.stream_identifier)
        case "event_type":
            return _by_type(options.filter.event_type)
        case _:
            return Sieve()


def exact_names(regex: str) -> frozenset[str] | None:
    r"""Answer the names in a `^(?:a|b\.c)$` of literals; None for any other expression.

    This is what our own adapter sends for exact event types, and what the store can look up.
    """
    found = re.fullmatch(r"\^\(\?:(.+)\)\$", regex, re.DOTALL)
    if found is None:
        return None
    parts = re.findall(r"(?:\\.|[^\\|])+", found[1], re.DOTALL)
    names = [re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL) for part in parts]
    return frozenset(names) if "|".join(map(re.escape, names)) == found[1] else None


def _by_stream(expression: Expression) -> Sieve:
    if not expression.regex:
        return Sieve(Filter(prefixes=tuple(expression.prefix), system=True))
    search = _compiled(expression.regex).search
    return Sieve(accepts=lambda event: search(event.stream))


def _by_type(expression: Expression) -> Sieve:
    if not expression.regex:
        prefixes = tuple(expression.prefix)
        return Sieve(accepts=lambda event: event.type.startswith(prefixes))
    if (names := exact_names(expression.regex)) is not None:
        return Sieve(Filter(types=names, system=True))
    # Types are few and events are many, so each type is searched once.
    search = lru_cache(maxsize=1024)(_compiled(expression.regex).search)
    return Sieve(accepts=lambda event: search(event.type))


def _compiled(regex: str) -> re.Pattern[str]:
    if len(regex) > MAX_REGEX:
        raise BadRequest(f"the filter's regex has {len(regex)} characters; at most {MAX_REGEX}")
    try:
        return re.compile(regex)
    except re.error as error:
        raise BadRequest(f"the filter's regex {regex!r}: {error}") from None
