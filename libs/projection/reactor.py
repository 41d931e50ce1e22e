"""Runs a policy: every event of some types seen once in log order, a checkpoint behind it.

A reaction may be repeated after a crash; it sends commands whose request id is derived from the
event, so that a reaction repeated is a reaction done once.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from google.protobuf.message import Message

from libs.contract.codec import Codec
from libs.eventstore.port import EventStore, Filter, StoreUnavailable
from libs.projection.database import Connection, Database, Fact

log = logging.getLogger(__name__)
React = Callable[[Fact], Awaitable[None]]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


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
    ) -> None:
        """Keep the checkpoint in ``database``."""
        self._store, self._codec, self._database, self._react = store, codec, database, react
        self._filter = Filter(frozenset(event.DESCRIPTOR.full_name for event in handles))
        database.open((), "policy")

    async def run(self) -> None:
        """React until cancelled; wait and come again when the store or a peer is away."""
        pause = _FIRST_PAUSE
        while True:
            try:
                after = self._database.checkpoint()
                async for batch in self._store.subscribe(after=after, filter=self._filter):
                    for event in batch.events:
                        await self._react(Fact(event, self._codec.decode(event)))
                        self._database.write(event.position, lambda _: None)
                        pause = _FIRST_PAUSE
            except (StoreUnavailable, TryAgain) as error:
                log.warning("policy waits %.1f s: %s", pause, error)
            except Exception:  # nothing is skipped: it stands here until the cause is mended
                log.exception("policy stands still, and tries again in %.1f s", pause)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def close(self) -> None:
        """Let go of the checkpoint."""
        self._database.close()
