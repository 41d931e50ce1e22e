"""What the runner asks of a read model's database, whichever engine keeps it."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from google.protobuf.message import Message

from libs.eventstore.port import RecordedEvent


class Connection(Protocol):
    """As much of a database connection as engines have in common."""

    def execute(self, sql: str, parameters: Any = ...) -> Any:
        """Run one statement."""
        ...

    def executemany(self, sql: str, parameters: Any) -> Any:
        """Run one statement for each row of parameters."""
        ...


C_co = TypeVar("C_co", bound=Connection, covariant=True)


class Fact(NamedTuple):
    """An event of the log with the message in it; a tuple, because a replay builds millions."""

    recorded: RecordedEvent
    event: Message


def nothing(_: Any) -> None:
    """Change nothing."""


class Database(Protocol, Generic[C_co]):
    """One file of rows, written by one runner, read by queries beside it."""

    def open(self, schemas: Iterable[str], digest: str) -> None:
        """Make ready a file for this ``digest`` of all views; older ones are thrown away."""
        ...

    def anew(self, schemas: Iterable[str], digest: str) -> None:
        """Throw all rows away, and open a file that has none."""
        ...

    def write(self, position: int, change: Callable[[C_co], None]) -> None:
        """Run ``change`` and set the checkpoint to ``position``, in one transaction."""
        ...

    async def fold(
        self,
        position: int,
        events: Sequence[RecordedEvent],
        change: Callable[[C_co, Sequence[RecordedEvent]], None],
        finish: Callable[[C_co], None] = nothing,
    ) -> None:
        """The same for many events, in slices if the engine likes, without holding up the loop.

        ``finish`` comes once, after the last slice.
        """
        ...

    def is_outage(self, error: Exception) -> bool:
        """Say whether the engine failed, and not what was asked of it.

        A disk that is full, a file that is locked or broken, too little memory: any other
        statement would have failed as well, and this one will do when that has passed.
        """
        ...

    def checkpoint(self) -> int | None:
        """Answer the position up to which events are folded in; None: no event yet."""
        ...

    def read(self) -> AbstractContextManager[C_co]:
        """Open a snapshot: all statements in it see the same rows."""
        ...

    def rows(self, table: str) -> Sequence[tuple[Any, ...]]:
        """Answer all rows of a table in a fixed order, for comparing."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...
