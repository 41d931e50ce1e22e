"""Rows and checkpoint move together; whatever happens, every event is folded once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest
from equiloop.feedback.v1 import events_pb2 as events

from libs.contract.events import CODEC
from libs.eventstore.port import Batch, EventStore, StoreCorrupt, StoreUnavailable
from libs.projection import Fact, Projection, backoff, rebuild, runner
from libs.projection.sqlite import SqliteDatabase
from services.feedback.views.inbox import FeedbackInbox
from services.feedback.views.loops import OpenLoops
from tests.contract.projection.scene import (
    VIEWS,
    append,
    folded,
    history,
    projection,
    rows,
    running,
)
from tests.specs.feedback.facts import closed, received


class Stumbling(OpenLoops):
    """Falls over the first loop that is closed, after rows of that batch were changed.

    It is the disk that fails, until that is mended: no event's fault.
    """

    def __init__(self) -> None:
        self.mended = False

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        for fact in facts:
            super().fold(db, [fact])
            if isinstance(fact.event, events.LoopClosed) and not self.mended:
                raise OSError("stumbled")


class Forgetful(OpenLoops):
    """Overlooks the third loop that is closed."""

    def __init__(self) -> None:
        self._closed = 0

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        for fact in facts:
            self._closed += isinstance(fact.event, events.LoopClosed)
            if not (isinstance(fact.event, events.LoopClosed) and self._closed == 3):
                super().fold(db, [fact])


class Dated(OpenLoops):
    """The same view with another meaning."""

    version = 99


def database_in(folder: Path) -> Path:
    (file,) = folder.glob("views-*.db")
    return file


class Splitting:
    """A store that hands over its batches in pieces, and is lost after every few."""

    def __init__(self, store: EventStore, size: int, lost_after: int = 0) -> None:
        self._store, self._size, self._lost_after = store, size, lost_after
        self.subscriptions = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def subscribe(self, **how: Any) -> AsyncIterator[Batch]:
        self.subscriptions += 1
        pieces = 0
        async for batch in self._store.subscribe(**how):
            some = batch.events
            while len(some) > self._size:
                now, some = some[: self._size], some[self._size :]
                yield Batch(now, now[-1].position)
                pieces += 1
                if pieces == self._lost_after:
                    raise StoreUnavailable("lost on purpose")
            yield Batch(some, batch.position, batch.caught_up)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST", 0.001)


async def test_a_fold_that_fails_leaves_nothing(embedded: EventStore, tmp_path: Path) -> None:
    """A view that raises in the middle undoes the rows of all views and the checkpoint."""
    head = await append(embedded, *history())
    stumbling = projection(embedded, tmp_path, [FeedbackInbox(), Stumbling()])
    with pytest.raises(OSError, match="stumbled"):
        await stumbling.catch_up(head)
    assert stumbling.database.checkpoint() is None
    assert not any(rows(stumbling).values())
    await stumbling.close()


async def test_after_a_failure_everything_is_folded_once(
    embedded: EventStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that starts again where one fell over ends with the rows of one that never fell."""
    monkeypatch.setattr(runner, "CATCHING_UP", 1)  # some of it is folded before the fall
    for event in history():
        await append(embedded, event)
    stumbling = projection(
        Splitting(embedded, 4), tmp_path / "live", [FeedbackInbox(), Stumbling()]
    )
    with pytest.raises(OSError, match="stumbled"):
        await stumbling.catch_up(await embedded.head())
    assert stumbling.database.checkpoint()
    await stumbling.close()
    again = projection(embedded, tmp_path / "live")
    await again.catch_up(await embedded.head())
    assert rows(again) == await folded(embedded, tmp_path / "fresh")
    await again.close()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("catching_up", [1, 5, runner.CATCHING_UP])
async def test_how_the_log_is_cut_does_not_matter(
    embedded: EventStore,
    tmp_path: Path,
    size: int,
    catching_up: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same events in batches and transactions of any size make the same rows."""
    monkeypatch.setattr(runner, "CATCHING_UP", catching_up)
    await append(embedded, *history(60))
    cut = await folded(Splitting(embedded, size), tmp_path / "cut")
    assert all(cut.values())
    assert cut == await folded(embedded, tmp_path / "whole")


@pytest.mark.parametrize("catching_up", [1, runner.CATCHING_UP])
async def test_a_store_that_is_lost_is_followed_again(
    embedded: EventStore, tmp_path: Path, catching_up: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A subscription that ends every few events goes on from the checkpoint, without a gap."""
    monkeypatch.setattr(runner, "CATCHING_UP", catching_up)
    head = await append(embedded, *history())
    shaky = Splitting(embedded, 5, lost_after=4)
    live = projection(shaky, tmp_path / "live")
    async with asyncio.timeout(10), running(live):
        await live.caught_up.wait()
        assert live.position == head
        assert rows(live) == await folded(embedded, tmp_path / "fresh")
    assert shaky.subscriptions > 2
    assert not live.following.error


async def test_waiting_ends_when_the_views_are_there(embedded: EventStore, tmp_path: Path) -> None:
    """A reader waits until the event that he wrote is folded in, and not longer."""
    head = await append(embedded, *history(3))
    live = projection(embedded, tmp_path)
    async with asyncio.timeout(10), running(live):
        await live.wait(head)
        assert len(live.database.rows("feedback")) == 3
        waiting = asyncio.create_task(live.wait(head + 1))
        moved = asyncio.create_task(live.moved(head))
        assert not (await asyncio.wait({waiting}, timeout=0.05))[0]
        assert await append(embedded, received("new")) == head + 1
        await waiting
        assert await moved == head + 1
        assert len(live.database.rows("feedback")) == 4


async def test_events_of_others_move_the_views_too(embedded: EventStore, tmp_path: Path) -> None:
    """Whoever waits for an event that no view folds does not wait for ever."""
    live = projection(embedded, tmp_path, [FeedbackInbox()])
    async with asyncio.timeout(10), running(live):
        await live.caught_up.wait()
        head = await append(embedded, received("1"), closed("9", "1"))
        await live.wait(head)
        assert live.position == head


async def test_an_empty_log_is_caught_up_with(embedded: EventStore, tmp_path: Path) -> None:
    """Where nothing happened yet the views are ready, at position 0."""
    live = projection(embedded, tmp_path)
    async with asyncio.timeout(10), running(live):
        await live.caught_up.wait()
        await live.wait(0)


async def test_views_that_stand_still_say_so_and_try_again(
    embedded: EventStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An outage parks nothing: the views stand, say why, and go on once it has passed."""
    head = await append(embedded, *history())
    stumbling = Stumbling()
    views: list[Any] = [FeedbackInbox(), stumbling]
    live = projection(embedded, tmp_path / "live", views)
    async with asyncio.timeout(10), running(live) as task:
        while not live.following.error:  # noqa: ASYNC110 - it has no event for that
            await asyncio.sleep(0.001)
        assert live.following.error == "OSError: stumbled"
        assert (live.position, len(live.parked), task.done()) == (-1, 0, False)
        stumbling.mended = True
        await live.wait(head)
        assert not live.following.error
        assert rows(live) == await folded(embedded, tmp_path / "fresh")
    assert "views stops after position -1 and comes again" in caplog.text


async def test_views_with_another_meaning_are_built_anew(
    embedded: EventStore, tmp_path: Path
) -> None:
    """A changed version throws the old rows away and folds the log from its beginning."""
    head = await append(embedded, *history())
    await folded(embedded, tmp_path)
    before = database_in(tmp_path)
    changed = projection(embedded, tmp_path, [FeedbackInbox(), Dated()])
    assert changed.position == -1
    assert not before.exists()
    await changed.catch_up(head)
    assert rows(changed) == await folded(embedded, tmp_path / "fresh")
    await changed.close()


async def test_the_same_views_go_on_where_they_were(embedded: EventStore, tmp_path: Path) -> None:
    """An unchanged version keeps its rows, and starts from its checkpoint."""
    head = await append(embedded, *history())
    await folded(embedded, tmp_path)
    again = projection(embedded, tmp_path)
    assert again.position == head
    assert all(rows(again).values())
    await again.close()


async def test_a_rebuild_is_the_live_database(embedded: EventStore, tmp_path: Path) -> None:
    """The log folded into a fresh place equals the live rows, table by table; past too."""
    live = projection(embedded, tmp_path / "live")
    heads, seen = [], []
    for some in (history()[:30], history()[30:]):
        heads.append(await append(embedded, *some))
        await live.catch_up(heads[-1])
        seen.append(rows(live))
    for number, head in enumerate(heads):
        fresh = SqliteDatabase(tmp_path / f"fresh-{number}")
        rebuilt = await rebuild(embedded, CODEC, fresh, VIEWS, head)
        assert rows(rebuilt) == seen[number]
        assert all(rows(rebuilt).values())
        await rebuilt.close()
    await live.close()


async def test_a_forgotten_event_is_found(embedded: EventStore, tmp_path: Path) -> None:
    """A view that overlooks one event of many differs from its rebuild in what that changed."""
    await append(embedded, *history())
    live = await folded(embedded, tmp_path / "live", [FeedbackInbox(), Forgetful()])
    fresh = await folded(embedded, tmp_path / "fresh")
    assert [table for table in fresh if live[table] != fresh[table]] == [
        "told",
        "loop",
        "stake",
    ]
    assert len(fresh["told"]) == len(live["told"]) + 1


async def test_views_of_another_log_are_refused(embedded: EventStore, tmp_path: Path) -> None:
    """Views that are ahead of the log were folded from another: they would skip events of this."""
    ahead = SqliteDatabase(tmp_path / "views")
    one = Projection(embedded, CODEC, ahead, VIEWS)
    await one.check()
    ahead.write(7, lambda _: None)
    await one.close()
    again = Projection(embedded, CODEC, SqliteDatabase(tmp_path / "views"), VIEWS)
    with pytest.raises(StoreCorrupt, match=r"another log, or to this one .*; remove them"):
        await again.check()
    await again.close()
