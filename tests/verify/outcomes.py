"""What a call came to, and whether that is the same on both sides."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from libs.eventstore.port import Batch, RecordedEvent, StoreError, WrongExpectedRevision

T = TypeVar("T")


def content(event: RecordedEvent) -> tuple[object, ...]:
    """Answer what an event is compared by; its position is another matter."""
    return (event.id, event.type, event.data, event.metadata, event.stream, event.revision)


async def collect(batches: AsyncIterator[Batch]) -> list[Batch]:
    """Answer all batches of a read."""
    return [batch async for batch in batches]


async def outcome(call: Awaitable[T]) -> T | StoreError:
    """Answer what a store answers, or how it refuses."""
    try:
        return await call
    except StoreError as error:
        return error


def attempt(call: Callable[[], T]) -> T | StoreError:
    """Answer what the model answers, or how it refuses."""
    try:
        return call()
    except StoreError as error:
        return error


def same_error(answer: object, expected: object) -> None:
    """Both are the same refusal, or none of them is one."""
    assert isinstance(answer, StoreError) == isinstance(expected, StoreError), (answer, expected)
    if isinstance(expected, StoreError):
        assert type(answer) is type(expected), (answer, expected)
    if isinstance(answer, WrongExpectedRevision) and isinstance(expected, WrongExpectedRevision):
        assert answer.actual == expected.actual, (answer, expected)
