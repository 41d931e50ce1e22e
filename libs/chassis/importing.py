"""Bulk calls: items that stand alone, counted, with errors by index; a re-run changes nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from libs.chassis.call import current
from libs.chassis.errors import status
from libs.decider import Aggregate, Attempt, Decider, Handled, Request
from libs.eventstore.port import StoreError, StreamTombstoned, TooLarge
from libs.kernel.refusals import Invalid, Refusal

MAX_ITEMS = 1000
"""Most items in one message of a bulk call."""

MAX_ERRORS = 1000
"""Most errors told of one call; the rest is counted."""

OF_AN_ITEM = (TooLarge, StreamTombstoned)
"""What the store refuses of one item alone: the others stand."""

TURN = 64
"""Items parsed in one turn of the event loop: a few milliseconds, then others have theirs."""

T = TypeVar("T")
S = TypeVar("S")
Outcome = Handled[Any] | Refusal | StoreError
Handle = Callable[[Sequence[Message]], Awaitable[Sequence[Outcome]]]
"""Handles the items of one message and answers each in its place."""


class Bulk(Generic[S]):
    """Handles the items of one message and answers each in its place."""

    def __init__(
        self,
        decider: Decider,
        aggregate: Aggregate[S],
        parse: Callable[[Any, Request], tuple[str, Any]],
        decide: Callable[[Any, S, datetime], Sequence[Message]],
        check: Callable[[Sequence[Any]], Awaitable[Sequence[Refusal | None]]] | None = None,
    ) -> None:
        """``parse`` answers an item's key and command; ``check`` refuses what refers to nothing."""
        self._decider, self._aggregate = decider, aggregate
        self._parse, self._decide, self._check = parse, decide, check

    async def __call__(self, items: Sequence[Message]) -> Sequence[Outcome]:
        """Parse all, check all, append what stands, as one batch."""
        outcomes: list[Outcome | None] = [None] * len(items)
        parsed: list[tuple[int, str, Any, Request]] = []
        for index, item in enumerate(items):
            request = current().item()
            if index % TURN == TURN - 1:
                await asyncio.sleep(0)
            try:
                parsed.append((index, *self._parse(item, request), request))
            except Refusal as malformed:
                outcomes[index] = malformed
        attempts = []
        refusals = (
            await self._check([p[2] for p in parsed]) if self._check else [None] * len(parsed)
        )
        for (index, key, command, request), refusal in zip(parsed, refusals, strict=True):
            outcomes[index] = refusal
            if refusal is None:
                attempts.append(Attempt(key, partial(self._decide, command), request))
        handled = iter(await self._decider.handle_new(self._aggregate, attempts))
        return [next(handled) if outcome is None else outcome for outcome in outcomes]


@dataclass(slots=True)
class Tally:
    """What became of the items so far."""

    created: int = 0
    unchanged: int = 0
    failed: int = 0
    seen: int = 0
    errors: list[tuple[int, Status]] = field(default_factory=list)

    async def take(self, name: str, items: Sequence[Message], handle: Handle) -> None:
        """Handle the items of one message; ``name`` is their field.

        Raises Invalid for none or too many, and the store's own error when it is away: what was
        not acknowledged may be sent again.
        """
        if not items:
            raise Invalid.field(name, "at least one item is needed")
        if len(items) > MAX_ITEMS:
            raise Invalid.field(name, f"at most {MAX_ITEMS} items, not {len(items)}")
        for outcome in await handle(items):
            if isinstance(outcome, StoreError) and not isinstance(outcome, OF_AN_ITEM):
                raise outcome
            if isinstance(outcome, Handled):
                self.created += outcome.changed
                self.unchanged += not outcome.changed
                current().wrote(outcome.position)
            else:
                self.failed += 1
                if len(self.errors) < MAX_ERRORS:
                    self.errors.append((self.seen, status(outcome)))
            self.seen += 1

    def fill(self, response: T, error: type[Message]) -> T:
        """Write what became of the items into an Import…Response."""
        response.created_count = self.created  # type: ignore[attr-defined]
        response.unchanged_count = self.unchanged  # type: ignore[attr-defined]
        response.error_count = self.failed  # type: ignore[attr-defined]
        response.errors.extend(  # type: ignore[attr-defined]
            error(index=index, status=status) for index, status in self.errors
        )
        return response


async def take_stream(
    tally: Tally, name: str, requests: AsyncIterator[Message], handle: Handle
) -> None:
    """Handle a stream of bulk messages, one after the other."""
    async for request in requests:
        await tally.take(name, getattr(request, name), handle)
