"""Any order of good and poisoned events, cures and crashes ends as a log without poison does."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.projection.draining import Draining
from libs.projection.folding import Reasons
from libs.projection.parking import Books
from tests.contract.projection.poison import ENGINES, UNREADABLE, Engine, Killed, Scene

PLACES = ("one", "two", UNREADABLE)

APPENDS = st.tuples(
    st.just("append"),
    st.sampled_from("abc"),
    st.lists(st.sampled_from(PLACES), max_size=2).map(tuple),
)
STEPS = st.one_of(
    APPENDS,
    APPENDS,
    st.just(("catch up",)),
    st.just(("restart",)),
    st.tuples(st.just("heal"), st.integers(0, 99)),
    st.tuples(st.just("retry"), st.sampled_from(("", *"abc"))),
    st.tuples(st.just("kill in"), st.integers(0, 4), st.booleans()),
)


async def act(scene: Scene, step: tuple[Any, ...]) -> None:
    match step:
        case "append", stream, places:
            scene.poison.plant(scene.log.add(stream), *places)
        case ("catch up",):
            await scene.catch_up()
        case ("restart",):
            await scene.restart()
        case "heal", number if scene.log.events:
            scene.poison.heal(scene.log.events[number % len(scene.log.events)])
        case "retry", stream:
            await scene.live.retry(lambda row: row.stream in (stream or row.stream))
        case "kill in", transactions, after:
            scene.mortal.left, scene.mortal.after = transactions, after


def check(scene: Scene) -> None:
    """What is in the rows is each stream's beginning, in order; what is not, is held back."""
    position, rows = scene.live.position, scene.rows()
    for view in scene.VIEWS:
        for stream in "abc":
            due = [
                event.position
                for event in scene.log.events
                if event.stream == stream and event.position <= position
            ]
            folded = sorted(row[1:] for row in rows[view] if row[0] == stream)
            assert folded == list(enumerate(due[: len(folded)]))
            _, held = scene.parked().get((view, stream), (0, 0))
            assert len(folded) + held == len(due)


async def run(engine: Engine, folder: Path, steps: Sequence[tuple[Any, ...]]) -> None:
    scene = Scene(engine, folder)
    for step in steps:
        try:
            await act(scene, step)
        except Killed:
            await scene.restart()
        check(scene)
    scene.mortal.left = None
    scene.poison.heal()
    await scene.catch_up()
    await scene.live.retry()
    assert not scene.parked()
    assert scene.rows() == await scene.whole()
    await scene.live.close()


@pytest.mark.parametrize(("engine", "examples"), [(ENGINES[0], 100), (ENGINES[1], 10)])
def test_whatever_happens_ends_as_if_there_had_been_no_poison(
    engine: Engine, examples: int
) -> None:
    """Rows and held-back events always add up; healed and drained, rows equal a rebuild's."""

    @settings(max_examples=examples, deadline=None, database=None)
    @given(steps=st.lists(STEPS, max_size=30))
    def explore(steps: list[tuple[Any, ...]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(run(engine, Path(folder), steps))

    explore()


def _forgets_its_place(self: Draining, events: Sequence[Any], failed: Reasons) -> Books:
    books = BOOKS(self, events, failed)
    return {key: row and row._replace(resume=row.position) for key, row in books.items()}


def _drains_from_the_next(self: Draining, event: Any) -> Sequence[str]:
    return [
        view
        for view in self._by_type.get(event.type, ())
        if (view, event.stream) in self.keys
        and self._parked[view, event.stream].resume < event.position
    ]


BOOKS = Draining.books
FAULTS = {"books": _forgets_its_place, "views": _drains_from_the_next}


CUT_SHORT: list[tuple[Any, ...]] = [
    ("append", "a", ("one",)),
    *[("append", "a", ())] * 8,
    ("catch up",),
    ("heal", 0),
    ("kill in", 1, True),
    ("retry", ""),
]
"""A drain that is killed between two of its transactions."""


async def test_a_drain_that_is_cut_short_goes_on_where_it_was(tmp_path: Path) -> None:
    """What was drained before the kill is not folded again, and nothing is left out."""
    await run(ENGINES[0], tmp_path, CUT_SHORT)


@pytest.mark.parametrize("method", FAULTS)
async def test_a_faulty_drain_is_found_out(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drain that forgets how far it was, and one that skips the event itself, are found."""
    monkeypatch.setattr(Draining, method, FAULTS[method])
    with pytest.raises(AssertionError):
        await run(ENGINES[0], tmp_path, CUT_SHORT)
