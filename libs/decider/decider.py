"""The one way in which anything changes: load, fold, decide, append at the expected revision."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar, cast
from weakref import WeakValueDictionary

from google.protobuf.message import Message

from libs.contract.codec import Codec
from libs.decider.aggregate import Aggregate
from libs.decider.history import Answered, Histories, History
from libs.decider.request import Request
from libs.eventstore.port import (
    Append,
    Appended,
    EventStore,
    Expected,
    ExpectedState,
    RecordedEvent,
    StoreError,
    StreamTombstoned,
    WrongExpectedRevision,
)
from libs.kernel.refusals import AlreadyExists, Contended, Invalid, Refusal, Stale
from libs.kernel.values import Clock

S = TypeVar("S")
Decide = Callable[[S, datetime], Sequence[Message]]
"""What a domain says to a state at an instant: the events that follow, or a Refusal raised."""

ATTEMPTS = 16
"""How often a command that lost a race is decided anew before it is refused as contended."""

_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Handled(Generic[S]):
    """What came of a command: the state it left, where it stands, and whether anything changed.

    ``changed`` is false when the command asked for what was so already; a request that was
    answered before is answered as it was then.
    """

    state: S
    revision: int
    position: int
    changed: bool


@dataclass(frozen=True, slots=True)
class Attempt(Generic[S]):
    """One item of a bulk command: what to decide for the thing called ``key``.

    ``begun`` is its first event, where that is at hand: it saves a read if nothing happened since.
    """

    key: str
    decide: Decide[S]
    request: Request
    begun: RecordedEvent | None = None


def _now() -> datetime:
    return datetime.now(UTC)


class Decider:
    """Handles commands on any aggregate over one store.

    State is decided on as it is in memory. That is safe: an append is confirmed by the expected
    revision, and whatever appends nothing (a refusal, a no-op) is decided again on the log's own
    state before it is believed.
    """

    def __init__(self, store: EventStore, codec: Codec, clock: Clock = _now) -> None:
        """Decide at the instants that ``clock`` gives."""
        self._store, self._codec, self._clock = store, codec, clock
        self._histories = Histories(store, codec)
        # Those who change one thing take turns: only other processes are left to race with.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def load(self, aggregate: Aggregate[S], key: str) -> Handled[S] | None:
        """Answer a thing as the log has it now; None when it has no history (any more)."""
        try:
            history = await self._histories.read(aggregate, aggregate.stream(key))
        except StreamTombstoned:
            return None
        if history.revision < 0:
            return None
        return Handled(history.state, history.revision, history.position, changed=False)

    async def handle(
        self,
        aggregate: Aggregate[S],
        key: str,
        decide: Decide[S],
        request: Request,
        *,
        etag: int | None = None,
        new: bool = False,
    ) -> Handled[S]:
        """Decide, and append what follows; answer the state as it then is.

        ``etag`` must be the present revision when given. ``new`` promises that the thing has
        probably no history yet, which saves a read. Raises what ``decide`` raises, Stale, Invalid
        for a malformed request, AlreadyExists for a request id used with other content, Contended,
        StoreError.
        """
        if request.malformed:
            raise Invalid.field("request_id", "must be a UUID")
        stream = aggregate.stream(key)
        async with self._turns.setdefault(stream, asyncio.Lock()):
            return await self._handle(aggregate, key, decide, request, etag=etag, new=new)

    async def _handle(
        self,
        aggregate: Aggregate[S],
        key: str,
        decide: Decide[S],
        request: Request,
        *,
        etag: int | None,
        new: bool,
    ) -> Handled[S]:
        stream = aggregate.stream(key)
        history = self._histories.cached(aggregate, stream)
        confirmed = False
        for _ in range(ATTEMPTS):
            if history is None:
                if new and not confirmed:
                    history = History(aggregate.initial)
                else:
                    history, confirmed = await self._histories.read(aggregate, stream), True
            earlier = history.answered.get(request.id)
            if earlier is not None:
                return await self._again(aggregate, stream, request, earlier)
            try:
                if etag is not None and etag != history.revision:
                    raise Stale(aggregate.name(key), str(etag), str(history.revision))
                events = list(decide(history.state, self._clock()))
            except Refusal:
                if confirmed:
                    raise
                history, confirmed = await self._histories.read(aggregate, stream), True
                continue
            if not events and not confirmed:
                history, confirmed = await self._histories.read(aggregate, stream), True
                continue
            try:
                return await self._append(aggregate, stream, history, events, request)
            except WrongExpectedRevision:
                history, confirmed = await self._histories.read(aggregate, stream), True
        raise Contended(aggregate.name(key))

    async def _append(
        self,
        aggregate: Aggregate[S],
        stream: str,
        history: History[S],
        events: list[Message],
        request: Request,
    ) -> Handled[S]:
        if not events:
            return Handled(history.state, history.revision, history.position, changed=False)
        new = self._codec.encode(events, request.id, request.metadata())
        appended = await self._store.append(stream, new, _expected(history.revision))
        if appended.repeated:  # another call with this very request came first
            raise WrongExpectedRevision(stream, history.revision, appended.revision)
        after = _after(aggregate, history, events, request, appended)
        self._histories.keep(stream, after)
        return Handled(after.state, after.revision, after.position, changed=True)

    async def _again(
        self, aggregate: Aggregate[S], stream: str, request: Request, earlier: Answered
    ) -> Handled[S]:
        if earlier.fingerprint != request.fingerprint:
            message = f"request_id {request.id} was used before with other content"
            raise AlreadyExists("REQUEST_ID_REUSED", message, request_id=str(request.id))
        then = await self._histories.read(aggregate, stream, until=earlier.revision)
        return Handled(then.state, then.revision, earlier.position, changed=False)

    async def handle_new(
        self, aggregate: Aggregate[S], attempts: Sequence[Attempt[S]]
    ) -> list[Handled[S] | Refusal | StoreError]:
        """Handle many commands on things that have probably just begun, with few waits.

        Each item stands alone and is answered in its place, by its outcome or by why not. Items on
        the same thing are handled one after the other, in their order.
        """
        answers: list[Handled[S] | Refusal | StoreError | None] = [None] * len(attempts)
        appends: list[tuple[int, History[S], list[Message], Append]] = []
        seen: set[str] = set()
        for index, item in enumerate(attempts):
            start = self._start(aggregate, item)
            events = [] if item.key in seen else self._guess(start, item)
            seen.add(item.key)
            if events:
                new = self._codec.encode(events, item.request.id, item.request.metadata())
                append = Append(aggregate.stream(item.key), new, _expected(start.revision))
                appends.append((index, start, events, append))
        done = await self._store.append_batch([append for *_, append in appends])
        for (index, start, events, _), outcome in zip(appends, done, strict=True):
            if isinstance(outcome, Appended) and not outcome.repeated:
                request = attempts[index].request
                after = _after(aggregate, start, events, request, outcome)
                answers[index] = Handled(after.state, after.revision, after.position, changed=True)
            elif isinstance(outcome, StoreError) and not isinstance(outcome, WrongExpectedRevision):
                answers[index] = outcome
        left = [index for index, answer in enumerate(answers) if answer is None]
        while left:
            some, left = left[:_AT_ONCE], left[_AT_ONCE:]
            found = await asyncio.gather(*(self.attempt(aggregate, attempts[i]) for i in some))
            for index, answer in zip(some, found, strict=True):
                answers[index] = answer
        return cast("list[Handled[S] | Refusal | StoreError]", answers)

    def _start(self, aggregate: Aggregate[S], item: Attempt[S]) -> History[S]:
        """Answer the history of a thing that has just begun, or has not yet."""
        history = History(aggregate.initial)
        if item.begun is not None:
            history.fold(aggregate, self._codec, item.begun)
        return history

    def _guess(self, start: History[S], item: Attempt[S]) -> list[Message]:
        """Answer what follows if nothing else happened; a refusal is not believed on a guess."""
        try:
            return list(item.decide(start.state, self._clock()))
        except Refusal:
            return []

    async def attempt(
        self, aggregate: Aggregate[S], item: Attempt[S]
    ) -> Handled[S] | Refusal | StoreError:
        """Handle one item of a bulk command; answer its outcome, or why not."""
        try:
            return await self.handle(aggregate, item.key, item.decide, item.request)
        except (Refusal, StoreError) as error:
            return error


def _expected(revision: int) -> ExpectedState:
    return Expected.NO_STREAM if revision < 0 else revision


def _after(
    aggregate: Aggregate[S],
    history: History[S],
    events: list[Message],
    request: Request,
    appended: Appended,
) -> History[S]:
    state = history.state
    for event in events:
        state = aggregate.evolve(state, event)
    answered = Answered(request.fingerprint, appended.revision, appended.position)
    known = {**history.answered, request.id: answered}
    return History(state, appended.revision, appended.position, known)
