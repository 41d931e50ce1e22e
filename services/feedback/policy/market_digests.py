"""Digests that schedules make due are delivered; those that nobody reads go up, step by step."""

from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4, uuid5

import apsw
import grpc

from libs.chassis.call import CURRENT, Call
from libs.decider import Request
from libs.kernel.values import NAMESPACE, derived_id, id_of, timestamp
from libs.projection.reactor import TryAgain
from services.feedback.digests import DIGEST, Digests
from services.feedback.domain import digest
from services.feedback.views import digests, schedules
from services.feedback.views.inbox import micros
from services.feedback.views.routing.line import managers

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ACTOR = "policies/market-digests"


class MarketDigests:
    """What the clock makes due → DeliverDigest, EscalateDigest.

    A scheduled digest's name follows from its function and the end of its window, and each
    command's request id from what is due: whoever looks again changes nothing.
    """

    def __init__(self, desk: Digests) -> None:
        """Deliver by ``desk``, and ask its views what is due."""
        self._desk = desk

    async def tick(self, now: datetime) -> None:
        """Do all that is due by ``now``. Raises TryAgain while nobody can say what is at stake.

        What is not read goes up even if nothing can be delivered.
        """
        CURRENT.set(Call(str(uuid4()), actor=_ACTOR))
        due, unread = await self._desk.views.read(partial(_due, now=micros(timestamp(now))))
        for each, above in unread:
            await self._escalate(each, above)
        for one in due:
            try:
                await self._deliver(one, now)
            except grpc.aio.AioRpcError as error:
                message = f"the digest for {one.function} cannot be composed: {error.details()}"
                raise TryAgain(message) from error

    async def _deliver(self, due: schedules.DueDigest, now: datetime) -> None:
        key = derived_id("digest", due.function, str(due.end))
        command = digest.DeliverDigest(
            digest=DIGEST.name(key),
            function=due.function,
            start_time=_instant(due.start),
            end_time=_instant(due.end),
            acknowledge_within=timedelta(microseconds=due.acknowledge_within),
            only_themes=due.only_themes,
            scheduled=True,
        )
        await self._desk.deliver(command, _request(f"DeliverDigest {key}"), now)

    async def _escalate(self, unread: digests.Unread, above: list[str]) -> None:
        """Tell whoever stands so far up. That nobody stands at the first step is put on record."""
        to = above[unread.level - 1] if unread.level <= len(above) else None
        if to is None and unread.level > 1:
            return
        command = digest.EscalateDigest(name=unread.digest, level=unread.level, to=to)
        request = _request(f"EscalateDigest {unread.digest} {unread.level}")
        decide = partial(digest.decide, command)
        await self._desk.decider.handle(DIGEST, id_of(unread.digest), decide, request)


def _due(
    db: apsw.Connection, *, now: int
) -> tuple[list[schedules.DueDigest], list[tuple[digests.Unread, list[str]]]]:
    """Answer what is to be delivered, and what is to go up with all who stand above."""
    unread = [(each, managers(db, each.function)) for each in digests.unread(db, now)]
    return schedules.due(db, now), unread


def _request(thing: str) -> Request:
    return Request(uuid5(NAMESPACE, thing), actor=_ACTOR)


def _instant(since: int) -> datetime:
    return _EPOCH + timedelta(microseconds=since)
