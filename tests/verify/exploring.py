"""Runs the state machine on a store of one's choice."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from libs.eventstore.port import EventStore
from tests.verify.machine import StoreMachine


@dataclass
class Explored:
    """How much was done to a store and its model."""

    examples: int = 0
    calls: int = 0


def explore(
    runner: asyncio.Runner,
    open_store: Callable[[str], Awaitable[EventStore]],
    *,
    examples: int,
    steps: int,
    patience: float = 10.0,
    repeatable: bool = False,
    minimal: bool = True,
) -> Explored:
    """Run so many examples of up to so many steps, on stores that ``open_store`` opens by name.

    Raises AssertionError where store and model differ, with the
    example, which is made as short as can be if ``minimal``. ``repeatable`` runs choose the same
    examples every time.
    """
    explored = Explored()

    class Machine(StoreMachine):
        async def open(self, category: str) -> EventStore:
            return await open_store(category)

        def teardown(self) -> None:
            explored.examples += 1
            super().teardown()

        def _do(self, call: Coroutine[Any, Any, Any]) -> Any:
            explored.calls += 1
            return super()._do(call)

    Machine.runner, Machine.patience = runner, patience
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=repeatable,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink] if minimal else [Phase.generate],
    )
    run_state_machine_as_test(Machine, settings=chosen)
    return explored
