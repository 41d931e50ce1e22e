"""Deadlines that pass are put on record, and taken up the reporting line while nothing happens."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid5

import apsw

from libs.decider import Decider, Request
from libs.kernel.values import NAMESPACE, id_of, timestamp
from libs.projection.sqlite import SqliteDatabase
from services.feedback.domain import route
from services.feedback.service.means import ROUTE
from services.feedback.views.inbox import micros
from services.feedback.views.routing.missed import START, Due, ladders, missed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AT_ONCE = 32
_ACTOR = "policies/loop-slas"

Look = Callable[[apsw.Connection, int, tuple[int, int, int], int], list[Due]]


class LoopSlas:
    """What the clock makes due → BreachSla, Escalate.

    Each command's request id follows from what is due, and a route remembers what it was told:
    whoever looks again, another instance or one that was started anew, changes nothing.
    """

    def __init__(self, decider: Decider, views: SqliteDatabase) -> None:
        """Ask ``views`` what is due, and put it on record by ``decider``."""
        self._decider, self._views = decider, views

    async def tick(self, now: datetime) -> None:
        """Put on record all that is due by ``now``; what fails is raised once the rest is done."""
        failed = [
            *await self._each(missed, now, self._breach),
            *await self._each(ladders, now, self._escalate),
        ]
        if failed:
            raise failed[0]

    async def _each(
        self, look: Look, now: datetime, command: Callable[[Due], route.RouteCommand | None]
    ) -> Sequence[BaseException]:
        """Walk through all that is due, some at a time; answer what went wrong."""
        failed: list[BaseException] = []
        after = START
        while True:
            with self._views.read() as db:
                found = look(db, micros(timestamp(now)), after, _AT_ONCE)
            if not found:
                return failed
            after = found[-1].key
            commands = [each for each in map(command, found) if each is not None]
            done = await asyncio.gather(*map(self._send, commands), return_exceptions=True)
            failed += [outcome for outcome in done if isinstance(outcome, BaseException)]

    async def _send(self, command: route.RouteCommand) -> None:
        assert isinstance(command, route.BreachSla | route.Escalate)
        kind = type(command).__name__
        since = command.open_time if isinstance(command, route.BreachSla) else command.deadline
        thing = f"{kind} {command.name} {command.stage} {since.isoformat()} {command.level}"
        request = Request(uuid5(NAMESPACE, thing), actor=_ACTOR)
        decide = partial(route.decide, command)
        await self._decider.handle(ROUTE, id_of(command.name), decide, request)

    @staticmethod
    def _breach(due: Due) -> route.RouteCommand:
        return route.BreachSla(
            name=due.feedback,
            sla=due.sla,
            stage=due.stage,
            deadline=_instant(due.deadline),
            open_time=_instant(due.open_time),
            function=due.function,
            escalate_to=due.next or None,
        )

    @staticmethod
    def _escalate(due: Due) -> route.RouteCommand | None:
        if not due.next:
            return None
        return route.Escalate(
            name=due.feedback,
            sla=due.sla,
            stage=due.stage,
            deadline=_instant(due.deadline),
            function=due.function,
            escalate_to=due.next,
            level=due.level + 1,
        )


def _instant(since: int) -> datetime:
    return _EPOCH + timedelta(microseconds=since)
