"""What a consistency boundary is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Aggregate(Generic[S]):
    """One kind of thing with a history of its own: where it is kept and how it is folded.

    The thing with the key `7` is called `collection/7` outside, and its stream `category-7`.
    """

    category: str
    collection: str
    initial: S
    evolve: Callable[[S, Message], S]

    def stream(self, key: str) -> str:
        """Answer the stream of the thing called ``key``: `category-key`."""
        return f"{self.category}-{key}"

    def name(self, key: str) -> str:
        """Answer the resource name of the thing called ``key``: `collection/key`."""
        return f"{self.collection}/{key}"
