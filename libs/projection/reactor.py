"""Runs a policy: every event of some types seen once in log order, a checkpoint behind it.

A reaction may be repeated after a crash; it sends commands whose request id is derived from the
event, so that a reaction repeated is a reaction done once. Nothing is ever skipped or parked: an
event says what must be done, and what comes after it may build on that. A reaction that fails for
ever is tried for ever, and the watchdog raises the alarm.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing

from google.protobuf.message import Message

from libs.contract.codec import Codec
from libs.eventstore.port import EventStore, RecordedEvent
from libs.projection.database import Connection, Database, Fact, nothing
from libs.projection.following import Following

React = Callable[[Fact], Awaitable[None]]
ReactToMany = Callable[[Sequence[Fact]], Awaitable[None]]
Reaction = tuple[Awaitable[None], int]
"""What is to be done, and the position up to which all is done then."""


class TryAgain(Exception):
    """The reaction could not be carried out now; nothing is skipped, it is tried again."""


class Reactor:
    """Feeds the events of ``handles`` to ``react``, one after the other."""

    def __init__(
        self,
        store: EventStore,
        codec: Codec,
        database: Database[Connection],
        handles: frozenset[type[Message]],
        react: React,
        *,
        name: str = "policy",
    ) -> None:
        """Keep the checkpoint in ``database``; ``name`` is for operators."""
        self._codec, self._database, self._react = codec, database, react
        database.open((), "policy")
        types = [event.DESCRIPTOR.full_name for event in handles]
        self.following = Following(name, store, types, database.checkpoint())

    async def run(self) -> None:
        """React until cancelled; wait and come again when the store or a peer is away."""
        await self.following.run(self._follow, passing=(TryAgain,))

    async def _follow(self) -> None:
        async with aclosing(self.following.batches()) as batches:
            async for batch in batches:
                for reaction, position in self._reactions(batch.events):
                    await reaction
                    self._database.write(position, nothing)
                    self.following.reached(position)
                self.following.reached(batch.position)
                if batch.caught_up:
                    self.following.caught_up.set()

    def _reactions(self, events: Sequence[RecordedEvent]) -> Iterator[Reaction]:
        for event in events:
            yield self._react(Fact(event, self._codec.decode(event))), event.position

    async def close(self) -> None:
        """Let go of the checkpoint."""
        self._database.close()


class BulkReactor(Reactor):
    """The same for a policy that is quicker with many events at once: a batch, a reaction."""

    def __init__(
        self,
        store: EventStore,
        codec: Codec,
        database: Database[Connection],
        handles: frozenset[type[Message]],
        react: ReactToMany,
        *,
        name: str = "policy",
    ) -> None:
        """Keep the checkpoint in ``database``; ``name`` is for operators."""
        super().__init__(store, codec, database, handles, lambda fact: react([fact]), name=name)
        self._react_to_many = react

    def _reactions(self, events: Sequence[RecordedEvent]) -> Iterator[Reaction]:
        facts = [Fact(event, self._codec.decode(event)) for event in events]
        if facts:
            yield self._react_to_many(facts), events[-1].position
