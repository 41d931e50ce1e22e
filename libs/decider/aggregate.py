"""What a consistency boundary is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Aggregate(Generic[S]):
    """One kind of thing with a history of its own: where it is kept and how it is folded."""

    category: str
    initial: S
    evolve: Callable[[S, Message], S]

    def stream(self, key: str) -> str:
        """Answer the stream of the thing called ``key``: `category-key`."""
        return f"{self.category}-{key}"
