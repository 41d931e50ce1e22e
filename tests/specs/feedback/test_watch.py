"""What somebody sees who watches open loops: all of them first, then every change, and life."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from equiloop.feedback.v1 import service_pb2 as api

from services.feedback.watch import watch

Told = api.WatchOpenLoopsResponse


class Views:
    """Open loops, two on a page, and a log of which of them changed at which position."""

    def __init__(self, *names: str, position: int = 10) -> None:
        self.names, self.reached = list(names), position
        self.log: list[tuple[int, str]] = []
        self.step = asyncio.Condition()

    def position(self) -> int:
        return self.reached

    def page(self, after: str | None) -> tuple[Told, str | None]:
        rest = [name for name in sorted(self.names) if after is None or name > after]
        shown = [api.OpenLoop(feedback=name) for name in rest[:2]]
        return Told(open=shown), rest[1] if len(rest) > 2 else None

    def changes(self, since: int) -> tuple[Told, bool]:
        new = [(at, name) for at, name in self.log if at > since]
        answer = Told(position=new[0][0] if new else self.reached)
        for _, name in new[:1]:
            if name in self.names:
                answer.open.add(feedback=name)
            else:
                answer.closed.append(name)
        return answer, len(new) > 1

    async def count(self) -> int:
        return len(self.names)

    async def moved(self, beyond: int) -> int:
        async with self.step:
            await self.step.wait_for(lambda: self.reached > beyond)
        return self.reached

    async def happen(self, position: int, *changed: str) -> None:
        """Let loops open, change or close: a name that is known closes."""
        for number, name in enumerate(changed):
            if name in self.names:
                self.names.remove(name)
            else:
                self.names.append(name)
            self.log.append((position - len(changed) + 1 + number, name))
        self.reached = position
        async with self.step:
            self.step.notify_all()


def watched(views: Views, after: int = 0, heartbeat: float = 60.0) -> AsyncGenerator[Told, None]:
    return watch(views, views.moved, after, pause=0, heartbeat=heartbeat)


def shown(answer: Told) -> tuple[list[str], list[str], int, int, bool]:
    names = [loop.feedback for loop in answer.open]
    return names, list(answer.closed), answer.position, answer.open_count, answer.caught_up


async def test_all_that_is_open_comes_first() -> None:
    """Page after page, and only the last has a position to resume from, and the count."""
    async with aclosing(watched(Views("a", "b", "c"))) as told:
        assert shown(await anext(told)) == (["a", "b"], [], 0, 0, False)
        assert shown(await anext(told)) == (["c"], [], 10, 3, True)


async def test_nothing_open_is_told_as_well() -> None:
    """An empty screen is caught up at once."""
    async with aclosing(watched(Views())) as told:
        assert shown(await anext(told)) == ([], [], 10, 0, True)


async def test_changes_come_as_they_happen() -> None:
    """A loop that opens is shown, one that closes is named, each with the count by then."""
    views = Views("a")
    async with aclosing(watched(views)) as told:
        await anext(told)
        await views.happen(11, "b")
        assert shown(await anext(told)) == (["b"], [], 11, 2, True)
        await views.happen(12, "a")
        assert shown(await anext(told)) == ([], ["a"], 12, 1, True)


async def test_many_changes_are_told_piece_by_piece() -> None:
    """What changed at once comes in several answers, each with the position to resume from."""
    views = Views("a")
    async with aclosing(watched(views)) as told:
        await anext(told)
        await views.happen(13, "b", "c", "d")
        positions = [shown(await anext(told))[2] for _ in range(3)]
    assert positions == [11, 12, 13]


async def test_a_watch_that_ended_is_resumed() -> None:
    """After a position nothing is shown again that was seen by then."""
    views = Views("a")
    await views.happen(12, "b", "c")
    async with aclosing(watched(views, after=11)) as told:
        assert shown(await anext(told)) == (["c"], [], 12, 3, True)


async def test_what_changes_while_all_is_shown_is_not_missed() -> None:
    """A loop that closes between two pages is named once all was shown."""
    views = Views("a", "b", "c")
    async with aclosing(watched(views)) as told:
        await anext(told)
        await views.happen(11, "a")
        assert shown(await anext(told)) == (["c"], [], 10, 2, True)
        assert shown(await anext(told)) == ([], ["a"], 11, 2, True)


async def test_silence_is_a_sign_of_life() -> None:
    """Without changes, and with such as concern nobody here, the position is told all the same."""
    views = Views("a")
    async with aclosing(watched(views, heartbeat=0.05)) as told:
        await anext(told)
        assert shown(await anext(told)) == ([], [], 10, 1, True)
        await views.happen(20)
        assert shown(await anext(told)) == ([], [], 20, 1, True)
