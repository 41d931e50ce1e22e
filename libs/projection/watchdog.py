"""Watches that what follows the log gets on: "the head moves, the checkpoint does not" is told.

A consumer that is behind the log's head must move. One that has not for a while is begun anew if
all it does is wait for a subscription (a connection may be half open); when that does not help
the alarm is raised: once, in the log and in the metrics, until it moves again.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

from libs.eventstore.port import EventStore, StoreError
from libs.projection.following import Clock, Following

log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two questions for the log's head."""

SILENCE = 1.5
"""Seconds behind the head without a move after which a subscription is begun anew."""

ALARM = 5.0
"""Seconds within which the alarm is raised, counted from the move of the head."""

_STANDS = ALARM - 2.5 * LOOK
"""Seconds from the first look that saw it: that look comes up to a period after the head moved,
the one that tells up to a period after these seconds, and half a period is for looks being late."""


class State(Enum):
    """How a consumer of the log gets on."""

    CATCHING_UP = "catching up"
    """It has not seen the end of the log since it was started."""
    FOLLOWING = "following"
    """It is where the log's head was, when that was last asked."""
    BEHIND = "behind"
    """It has some way to go, and goes."""
    STANDING_STILL = "standing still"
    """It failed at what is next, or the alarm is raised."""


@dataclass
class Watched:
    """One consumer, and what was seen of it."""

    following: Following
    head: int = 0
    """The log's head when it was last asked."""
    behind: float = 0.0
    """Seconds for which it has been behind the head."""
    idle: float = 0.0
    """Seconds since it moved, or was seen for the first time."""
    alarmed: bool = False
    """Whether the alarm is raised."""
    alarms: int = 0
    """How often it was."""
    _seen: int = -2
    _moved: float = 0.0
    _since: float | None = None  # when the head was seen beyond a position that stands
    _begun: float | None = None  # when it was first seen behind
    _deaf: float = field(default=0.0)

    @property
    def state(self) -> State:
        """How it gets on."""
        if self.alarmed or self.following.error:
            return State.STANDING_STILL
        if not self.following.caught_up.is_set():
            return State.CATCHING_UP
        return State.FOLLOWING if self.following.position >= self.head else State.BEHIND

    def look(self, head: int, now: float) -> None:
        """Compare it with the log's ``head``, ``now``."""
        position = self.following.position
        moved, self._seen, self.head = position != self._seen, position, head
        self._moved = now if moved else self._moved
        self.idle = now - self._moved
        if moved and self.alarmed:
            log.warning("%s moves again, at position %d", self.following.name, position)
            self.alarmed = False
        if position >= head:
            self._since = self._begun = None
            self.behind = 0.0
            return
        self._begun = now if self._begun is None else self._begun
        self.behind = now - self._begun
        if moved or self._since is None:
            self._since = self._deaf = now
        elif now - self._deaf >= SILENCE:
            self._deaf = now
            if self.following.restart():
                log.warning("%s hears nothing of the log: asking anew", self.following.name)
        if now - self._since >= _STANDS and not self.alarmed:
            self.alarmed, self.alarms = True, self.alarms + 1
            log.error(
                "ALARM: the log's head moves, %s does not: head %d, position %d, last error: %s",
                self.following.name,
                head,
                position,
                self.following.error or "none",
            )


class Watchdog:
    """Looks at all that follows one store in this process."""

    def __init__(
        self, store: EventStore, followings: Sequence[Following], clock: Clock = time.monotonic
    ) -> None:
        """Watch ``followings``."""
        self._store, self._clock = store, clock
        self.watched = tuple(Watched(following) for following in followings)
        self.head = 0

    async def run(self) -> None:
        """Look every ``LOOK`` seconds, until cancelled."""
        while True:
            begun = self._clock()
            await self.look()
            await asyncio.sleep(max(0.0, begun + LOOK - self._clock()))

    async def look(self) -> None:
        """Ask for the head and compare; a store that does not answer has the head it had."""
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(LOOK / 2):
                self.head = max(self.head, await self._store.head())
        now = self._clock()
        for each in self.watched:
            each.look(self.head, now)
