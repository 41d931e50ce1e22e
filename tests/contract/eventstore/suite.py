"""The suite: every check, each a promise of the port that all stores keep."""

from collections.abc import Awaitable, Callable

from libs.eventstore.port import EventStore
from tests.contract.eventstore.checks import (
    appending,
    bulk,
    ending,
    filtering,
    following,
    governing,
    owning,
    reading,
    repeating,
)

Check = Callable[[EventStore], Awaitable[None]]

MODULES = (
    appending,
    bulk,
    repeating,
    reading,
    filtering,
    following,
    ending,
    governing,
    owning,
)

CHECKS: dict[str, Check] = {
    name: check
    for module in MODULES
    for name, check in vars(module).items()
    if name.startswith("check_")
}
