"""A policy sees every event of its kind in order; a reaction repeated is a reaction done once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from uuid import uuid5

import pytest
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.operations.v1 import service_pb2 as api

from libs.chassis.operations import Operations
from libs.contract.events import CODEC
from libs.decider import Request
from libs.eventstore.port import EventStore, StoreUnavailable
from libs.projection import Fact, backoff, watchdog
from libs.projection.reactor import BulkReactor, Reactor, TryAgain
from libs.projection.sqlite import SqliteDatabase
from services.feedback.domain import feedback as domain
from services.feedback.domain.intake import RecordFeedback
from services.feedback.service.means import FEEDBACK
from tests.contract.decider.scene import decider
from tests.contract.projection.scene import append
from tests.specs.feedback.facts import coded, declined, received

REFUSALS = frozenset({events.ActionDeclined})


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST", 0.001)


@asynccontextmanager
async def policy(
    store: EventStore, folder: Path, react: Callable[[Fact], Awaitable[None]]
) -> AsyncIterator[asyncio.Task[None]]:
    """Run a policy on refusals for as long as the context lasts; leaving it is a crash."""
    one = Reactor(store, CODEC, SqliteDatabase(folder), REFUSALS, react)
    task = asyncio.create_task(one.run())
    try:
        async with asyncio.timeout(10):
            yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await one.close()


class Seen:
    """Remembers which refusals it was shown; fails as often as it is told to."""

    def __init__(self, *errors: Exception) -> None:
        self.actions: list[str] = []
        self._errors, self._shown = list(errors), asyncio.Condition()

    async def __call__(self, fact: Fact) -> None:
        if self._errors:
            raise self._errors.pop()
        assert isinstance(fact.event, events.ActionDeclined)
        async with self._shown:
            self.actions.append(fact.event.action)
            self._shown.notify_all()

    async def until(self, count: int) -> list[str]:
        async with self._shown:
            await self._shown.wait_for(lambda: len(self.actions) >= count)
        return self.actions


async def test_events_are_seen_in_order_and_once(embedded: EventStore, tmp_path: Path) -> None:
    """Only the kinds asked for, in log order; after a restart those that came since."""
    await append(embedded, received(), declined("a", "1"), coded(), declined("b", "1"))
    seen = Seen()
    async with policy(embedded, tmp_path, seen):
        assert await seen.until(2) == ["actions/a", "actions/b"]
        await append(embedded, declined("c", "1"))
        await seen.until(3)
        await append(embedded, declined("d", "1"))
        await seen.until(4)
    await append(embedded, declined("e", "1"))
    later = Seen()
    async with policy(embedded, tmp_path, later):
        await later.until(1)
    assert later.actions[-1] == "actions/e"
    assert set(later.actions) <= {"actions/d", "actions/e"}


@pytest.mark.parametrize(
    "error", [TryAgain("a peer is away"), StoreUnavailable("lost"), RuntimeError("unexpected")]
)
async def test_what_failed_is_tried_again(
    embedded: EventStore, tmp_path: Path, error: Exception
) -> None:
    """A reaction that fails, for whatever reason, skips nothing and is not given up."""
    await append(embedded, declined("a", "1"), declined("b", "1"))
    seen = Seen(error, error)
    async with policy(embedded, tmp_path, seen) as task:
        assert await seen.until(2) == ["actions/a", "actions/b"]
        assert not task.done()


async def test_an_unexpected_failure_is_logged(
    embedded: EventStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A policy that stands still does not do so in silence."""
    await append(embedded, declined("a", "1"))
    seen = Seen(RuntimeError("unexpected"))
    async with policy(embedded, tmp_path, seen):
        await seen.until(1)
    assert "policy stops after position" in caplog.text


async def test_a_reaction_repeated_is_a_reaction_done_once(
    embedded: EventStore, tmp_path: Path
) -> None:
    """A crash between a reaction and its checkpoint repeats the reaction, to no effect."""
    await append(embedded, declined("a", "1"))
    by, crash, reactions = decider(embedded), asyncio.Event(), 0

    async def becomes_feedback(fact: Fact) -> None:
        nonlocal reactions
        reactions += 1
        request = Request(uuid5(fact.recorded.id, "RecordFeedback"), "the same content")
        key = request.derive("feedback")
        command = RecordFeedback(
            feedback=f"feedback/{key}", channel=events.CHANNEL_OTHER, text="refused"
        )
        await by.handle(FEEDBACK, key, partial(domain.decide, command), request, new=True)
        crash.set()
        if reactions == 1:
            await asyncio.Event().wait()  # the process dies here: done, and not written down

    async with policy(embedded, tmp_path, becomes_feedback):
        await crash.wait()
    crash.clear()
    async with policy(embedded, tmp_path, becomes_feedback):
        await crash.wait()
    log = [event async for batch in embedded.read_all() for event in batch.events]
    kinds = [event.type.rsplit(".", 1)[1] for event in log]
    assert (reactions, kinds) == (2, ["ActionDeclined", "FeedbackReceived"])


async def test_a_reaction_that_fails_for_ever_is_shown(
    embedded: EventStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is skipped or parked; status says why it stands, and the alarm is raised."""
    monkeypatch.setattr(watchdog, "_STANDS", 0.0)
    await append(embedded, declined("a", "1"), declined("b", "1"))
    failed = asyncio.Event()

    async def fail(_: Fact) -> None:
        failed.set()
        raise RuntimeError("for ever")

    one = Reactor(embedded, CODEC, SqliteDatabase(tmp_path), REFUSALS, fail, name="refusals")
    operations, task = Operations(embedded, [], [one]), asyncio.create_task(one.run())
    async with asyncio.timeout(10):
        await failed.wait()
        while not (one.following.error and operations.watchdog.watched[0].alarmed):
            await operations.watchdog.look()
            await asyncio.sleep(0.001)
    (shown,) = (await operations.GetStatus(api.GetStatusRequest(), None)).followers
    assert (shown.name, shown.kind) == ("refusals", api.FOLLOWER_KIND_POLICY)
    assert shown.state == api.FOLLOWER_STATE_STANDING_STILL
    assert (shown.last_error, shown.position) == ("RuntimeError: for ever", -1)
    assert shown.alarm_count == 1
    assert not operations.is_well()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await one.close()


async def test_events_may_be_seen_many_at_once(embedded: EventStore, tmp_path: Path) -> None:
    """A policy that likes it gets a batch a reaction: all in order, a failed one all over again."""
    await append(embedded, *(declined(key, "1") for key in "abc"))
    batches: list[list[str]] = []
    done = asyncio.Event()

    async def react(facts: Sequence[Fact]) -> None:
        batches.append([fact.recorded.stream for fact in facts])
        if len(batches) == 1:
            raise TryAgain("a peer is away")
        done.set()

    for expected in (["action-a", "action-b", "action-c"], ["action-d"]):
        one = BulkReactor(embedded, CODEC, SqliteDatabase(tmp_path), REFUSALS, react)
        task = asyncio.create_task(one.run())
        await asyncio.wait_for(done.wait(), 10)
        await one.following.caught_up.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await one.close()
        assert batches[-1] == expected
        done.clear()
        await append(embedded, declined("d", "1"))
    assert batches == [["action-a", "action-b", "action-c"]] * 2 + [["action-d"]]
