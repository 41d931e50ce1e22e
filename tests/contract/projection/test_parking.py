"""One event that cannot be folded holds back its stream in its view, and nothing else."""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import duckdb
import pytest

from libs.eventstore.port import (
    EventStore,
    Expected,
    NewEvent,
    StoreUnavailable,
    StreamMetadata,
)
from libs.projection import Poisoned, parking, rebuild
from libs.projection.parking import TooMuchPoison
from tests.contract.projection.poison import (
    ENGINES,
    UNREADABLE,
    Engine,
    Guarded,
    Joining,
    Killed,
    Scene,
)

pytestmark = pytest.mark.parametrize("engine", ENGINES)
SQLITE, DUCK = ENGINES


@pytest.fixture
async def scene(engine: Engine, tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(engine, tmp_path)
    yield made
    await made.live.close()


async def test_one_stream_is_parked_and_the_rest_goes_on(scene: Scene) -> None:
    """The view that fails holds the stream back; its other streams and the other view go on."""
    for _ in range(3):
        for stream in ("a", "b", "c"):
            scene.log.add(stream)
    bad = scene.log.events[4]  # the second of b
    scene.poison.plant(bad, "one")
    await scene.catch_up()
    whole = await scene.whole()
    kept = [row for row in whole["one"] if row[0] != "b" or row[2] < bad.position]
    assert scene.rows() == {"one": kept, "two": whole["two"]}
    assert scene.parked() == {("one", "b"): (bad.position, 2)}
    assert scene.live.position == await scene.log.head()
    (row,) = scene.live.parked
    assert (row.revision, row.event, row.type) == (1, str(bad.id), bad.type)
    assert row.reason == "ValueError: poison"
    assert row.time > 0


async def test_what_cannot_be_read_parks_its_stream_for_all_who_want_it(scene: Scene) -> None:
    """Broken bytes hold the stream back in every view that handles the type."""
    scene.log.add("a")
    bad = scene.log.add("a")
    scene.log.add("b")
    scene.poison.plant(bad, UNREADABLE)
    await scene.catch_up()
    assert scene.parked() == {("one", "a"): (bad.position, 1), ("two", "a"): (bad.position, 1)}
    assert "broken bytes" in next(iter(scene.live.parked)).reason
    assert [row[0] for row in scene.rows()["one"]] == ["a", "b"]


async def test_one_event_may_fail_in_two_views_for_two_reasons(scene: Scene) -> None:
    """Each view that fails is parked, in one transaction with the event's rows elsewhere."""
    bad = scene.log.add("a")
    scene.poison.plant(bad, "one", "two")
    await scene.catch_up()
    assert set(scene.parked()) == {("one", "a"), ("two", "a")}


async def test_later_events_are_counted_across_restarts(scene: Scene) -> None:
    """What is held back is counted with every transaction, and known to the next process."""
    scene.poison.plant(scene.log.add("a"), "one")
    await scene.catch_up()
    for _ in range(2):
        scene.log.add("a")
        await scene.catch_up()
        await scene.restart()
    assert scene.parked() == {("one", "a"): (scene.log.events[0].position, 3)}


async def test_a_stream_is_drained_in_order_once_the_cause_is_mended(scene: Scene) -> None:
    """Everything held back is folded in order, and the rows are those of a whole log."""
    for number in range(30):
        event = scene.log.add(f"s{number % 4}")
        if number in (5, 6, 9):
            scene.poison.plant(event, "one")
    await scene.catch_up()
    before = scene.parked()
    assert len(before) == 2
    scene.poison.heal()
    retried = await scene.live.retry()
    assert {row.key: (row.position, row.held) for row in retried.drained} == before
    assert not retried.stayed
    assert not scene.parked()
    assert scene.rows() == await scene.whole()


async def test_a_new_release_drains_when_it_starts(scene: Scene) -> None:
    """A process that starts with the fix folds what was held back before it is ready."""
    scene.poison.plant(scene.log.add("a"), "one")
    scene.log.add("a")
    await scene.catch_up()
    scene.poison.heal()
    await scene.restart()
    async with following(scene):
        assert not scene.parked()
        assert scene.rows() == await scene.whole()


@asynccontextmanager
async def following(scene: Scene) -> AsyncIterator[None]:
    """Have the projection run until it has caught up, and for as long as the context lasts."""
    running = asyncio.create_task(scene.live.run())
    try:
        async with asyncio.timeout(10):
            await scene.live.caught_up.wait()
            yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_rows_in_which_streams_meet_are_made_anew(scene: Scene) -> None:
    """Where the order among streams counts, the next start folds the log from its beginning."""
    scene.kind = Joining
    await scene.restart()
    for stream in ("a", "b", "a"):
        scene.log.add(stream)
    scene.poison.plant(scene.log.events[0], "one")
    await scene.catch_up()
    scene.poison.heal()
    await scene.live.retry()
    assert scene.rows() != await scene.whole()  # nothing is missing, and the order is another
    assert list(scene.live.mended) == ["one"]
    for _ in range(2):
        await scene.restart()
        async with following(scene):
            assert scene.rows() == await scene.whole()
            assert not scene.live.mended


async def test_a_release_with_the_fix_makes_such_rows_anew_at_once(scene: Scene) -> None:
    """Drained and made anew before it is ready; what cannot be mended is held back again."""
    scene.kind = Joining
    await scene.restart()
    for stream in ("a", "b", "c", "a"):
        scene.log.add(stream)
    for number in (0, 1):
        scene.poison.plant(scene.log.events[number], "one")
    await scene.catch_up()
    scene.poison.heal(scene.log.events[0])
    await scene.restart()
    async with following(scene):
        assert set(scene.parked()) == {("one", "b")}
        assert [row[:2] for row in scene.rows()["one"]] == [("a", 0), ("a", 2), ("c", 1)]


async def test_what_fails_again_stays_with_its_new_place_and_reason(scene: Scene) -> None:
    """A drain that meets the next poison keeps what it folded, and tells where it stands now."""
    events = [scene.log.add("a") for _ in range(6)]
    scene.poison.plant(events[1], "one")
    await scene.catch_up()
    scene.poison.heal()
    scene.poison.plant(events[4], "one")
    scene.error = lambda: KeyError("another")
    retried = await scene.live.retry()
    (stayed,) = retried.stayed
    assert (stayed.position, stayed.revision, stayed.held) == (events[4].position, 4, 2)
    assert stayed.reason == "KeyError: 'another'"
    assert not retried.drained
    assert len(scene.rows()["one"]) == 4
    await scene.restart()
    scene.poison.heal()
    await scene.live.retry()
    assert scene.rows() == await scene.whole()


async def test_only_what_is_chosen_is_tried(scene: Scene) -> None:
    """One stream of one view can be drained while others wait."""
    for stream in ("a", "b"):
        scene.poison.plant(scene.log.add(stream), "one", "two")
    await scene.catch_up()
    scene.poison.heal()
    retried = await scene.live.retry(lambda row: row.key == ("two", "a"))
    assert [row.key for row in retried.drained] == [("two", "a")]
    assert set(scene.parked()) == {("one", "a"), ("one", "b"), ("two", "b")}


async def test_events_that_come_while_a_stream_drains_are_folded_in_order(scene: Scene) -> None:
    """A drain and the following of the log take turns, and neither overtakes the other."""
    scene.poison.plant(scene.log.add("a"), "one")
    for _ in range(20):
        scene.log.add("a")
    async with following(scene):
        await scene.live.wait(await scene.log.head())
        scene.poison.heal()
        retrying = asyncio.create_task(scene.live.retry())
        for _ in range(100):
            scene.log.add("a")
            await asyncio.sleep(0)
        await retrying
        await scene.live.wait(await scene.log.head())
        assert not scene.parked()
        assert scene.rows() == await scene.whole()


Makes = Sequence[Callable[[], Exception]]

ANYWHERE: Makes = [
    lambda: OSError(errno.ENOSPC, "no space left"),
    lambda: StoreUnavailable("lost"),
    MemoryError,
]
OUTAGES: dict[Engine, Makes] = {
    SQLITE: [
        *ANYWHERE,
        lambda: apsw.FullError("full"),
        lambda: apsw.BusyError("locked"),
        lambda: apsw.IOError("disk"),
        lambda: apsw.ReadOnlyError("read-only"),
        lambda: apsw.CorruptError("malformed"),
    ],
    DUCK: [
        *ANYWHERE,
        lambda: duckdb.IOException("disk"),
        lambda: duckdb.OutOfMemoryException("memory"),
        lambda: duckdb.TransactionException("conflict"),
        lambda: duckdb.InternalException("invalidated"),
    ],
}
FAULTS: dict[Engine, Makes] = {
    SQLITE: [
        lambda: ValueError("value"),
        lambda: apsw.ConstraintError("UNIQUE"),
        lambda: apsw.SQLError("no such column"),
    ],
    DUCK: [
        lambda: duckdb.ConstraintException("UNIQUE"),
        lambda: duckdb.ConversionException("not a number"),
        lambda: duckdb.OutOfRangeException("too large"),
        lambda: duckdb.BinderException("no such column"),
    ],
}


async def test_an_outage_parks_nothing(scene: Scene, engine: Engine) -> None:
    """What is not the event's fault is raised, changes nothing, and is folded when it is over."""
    for _ in range(4):
        scene.log.add("a")
    scene.poison.plant(scene.log.events[2], "one")
    for outage in OUTAGES[engine]:
        scene.error = outage
        with pytest.raises(type(outage())):
            await scene.catch_up()
        assert not scene.parked()
        assert scene.live.position == -1
    scene.poison.heal()
    await scene.catch_up()
    assert scene.rows() == await scene.whole()


async def test_a_fault_of_the_event_parks(scene: Scene, engine: Engine) -> None:
    """What would fail however often it is tried parks the stream."""
    for number, fault in enumerate(FAULTS[engine]):
        scene.error = fault
        scene.poison.plant(scene.log.add(f"s{number}"), "one")
        await scene.catch_up()
        assert ("one", f"s{number}") in scene.parked()


@pytest.mark.parametrize("hidden", ["truncated", "deleted"])
async def test_events_that_their_stream_hides_are_drained(
    scene: Scene, engine: Engine, embedded: EventStore, tmp_path: Path, hidden: str
) -> None:
    """What is hidden from reads of the stream is in the log, and was folded by everybody else."""
    other = Scene(engine, tmp_path / "other", embedded)
    for number in range(6):
        source = scene.log.add("a")
        new = NewEvent(source.id, source.type, source.data)
        await embedded.append("a" if number % 3 else "aa", [new], Expected.ANY)
        if number == 1:
            other.poison.plant(source, "one")
    await other.catch_up()
    (row,) = other.live.parked
    assert (row.stream, row.held) == ("a", 4)
    if hidden == "truncated":
        await embedded.set_stream_metadata("a", StreamMetadata(truncate_before=3))
    else:
        await embedded.delete("a", Expected.ANY)
    other.poison.heal()
    retried = await other.live.retry()
    assert len(retried.drained) == 1
    assert other.rows() == await other.whole()
    await other.live.close()


async def test_more_poison_than_may_be_parked_brings_the_views_to_a_stand(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the bound nothing is parked and nothing skipped; a retry makes room again."""
    monkeypatch.setattr(parking, "MOST", 2)
    for stream in ("a", "b", "c"):
        scene.poison.plant(scene.log.add(stream), "one")
    with pytest.raises(TooMuchPoison, match=r"2 streams are parked .*'c'.*ValueError: poison"):
        await scene.catch_up()
    assert scene.live.position == scene.log.events[1].position
    assert set(scene.parked()) == {("one", "a"), ("one", "b")}
    scene.poison.heal(scene.log.events[0])
    await scene.live.retry()
    await scene.catch_up()
    assert set(scene.parked()) == {("one", "b"), ("one", "c")}


async def test_a_rebuild_tells_of_poison(scene: Scene, engine: Engine, tmp_path: Path) -> None:
    """An audit is not handed rows that lack something: it is told which event, and why."""
    bad = scene.log.add("a")
    scene.poison.plant(bad, "one")
    fresh, codec = engine(tmp_path / "audit"), Guarded(scene.poison)
    with pytest.raises(Poisoned, match=f"1 streams .* one: .*{bad.id} of 'a' at {bad.position}"):
        await rebuild(scene.store, codec, fresh, scene.views(), await scene.log.head())


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("transaction", range(12))
async def test_a_kill_in_any_transaction_loses_and_doubles_nothing(
    scene: Scene, after: bool, transaction: int
) -> None:
    """Wherever parking or draining is cut off, the next process goes on as if it had not been."""
    for number in range(24):
        event = scene.log.add(f"s{number % 3}")
        if number in (4, 10):
            scene.poison.plant(event, "one")
    scene.mortal.left, scene.mortal.after = transaction, after
    for step in ("catch up", "retry"):
        try:
            await (scene.catch_up() if step == "catch up" else scene.live.retry())
        except Killed:
            await scene.restart()
            await scene.catch_up()
        scene.poison.heal()
    await scene.live.retry()
    assert not scene.parked()
    assert scene.rows() == await scene.whole()
