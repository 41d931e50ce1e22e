"""A market that speaks: a log of feedback by the million, coded, acted on and told."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from equiloop.customers.v1 import events_pb2 as customers
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import routing_events_pb2 as routing
from google.protobuf.message import Message

from libs.contract.events import CODEC
from libs.eventstore.port import Append, EventStore, Expected
from libs.kernel.values import timestamp

START = datetime(2023, 1, 1, tzinfo=UTC)
DAYS = 700
"""Days over which it speaks."""

LINKS = 50
"""Items that an action answers."""

_BATCH = 5_000
_CUSTOMERS = 20_000
_THEMES = [f"theme-{number:02d}" for number in range(30)]
_FUNCTIONS = [f"functions/f{number}" for number in range(8)]
_SEGMENTS = ("new", "loyal", "gold", "lost")


def name(number: int) -> str:
    """Answer the name of the item with this number."""
    return f"feedback/{number:08d}"


def _append(stream: str, number: int, *happened: Message) -> Append:
    return Append(stream, CODEC.encode(happened, UUID(int=number), b"{}"), Expected.NO_STREAM)


def _customers() -> Iterator[Append]:
    for number in range(_CUSTOMERS):
        registered = customers.CustomerRegistered(
            event_time=timestamp(START),
            customer=f"customers/c{number:05d}",
            segments=[_SEGMENTS[number % 4]],
        )
        yield _append(f"customer-c{number:05d}", number, registered)


def _items(count: int, rng: random.Random) -> Iterator[Append]:
    """Nine in ten have a known author, and nine in ten are coded at once."""
    for number in range(count):
        at = timestamp(START + timedelta(days=DAYS * number / count))
        author = f"customers/c{rng.randrange(_CUSTOMERS):05d}" if rng.random() < 0.9 else ""
        happened: list[Message] = [
            events.FeedbackReceived(
                event_time=at,
                feedback=name(number),
                customer=author,
                channel=events.Channel.ValueType(1 + rng.randrange(8)),
                text=f"The {rng.choice(_THEMES)} of number {number} is not what it was.",
                receive_time=at,
            )
        ]
        if rng.random() < 0.9:
            coder = events.Coder(name="bench", version="1")
            themes = sorted(rng.sample(_THEMES, 1 + rng.randrange(2)))
            happened.append(
                events.FeedbackCoded(
                    event_time=at, feedback=name(number), themes=themes, coder=coder
                )
            )
        yield _append(f"feedback-{number:08d}", 10**8 + number, *happened)


def _actions(count: int, rng: random.Random) -> Iterator[Append]:
    """Every second item is linked to an action; of these most are done, or refused, and told."""
    for number in range(count // (2 * LINKS)):
        linked = [name(2 * LINKS * number + 2 * place) for place in range(LINKS)]
        at = timestamp(START + timedelta(days=DAYS * (number + 1) * 2 * LINKS / count + 3))
        action, key = f"actions/{number:06d}", 2 * 10**8 + number
        happened: list[Message] = [
            events.ActionCommitted(
                event_time=at,
                action=action,
                kind=events.ActionKind.ValueType(1 + number % 6),
                title="Make it as it was",
                feedback=linked,
                owner=_FUNCTIONS[number % 8],
            )
        ]
        if number % 5:
            end = events.ActionCompleted if number % 4 else events.ActionDeclined
            happened.append(end(event_time=at, action=action, feedback=linked))
            happened += [
                events.LoopClosed(event_time=at, action=action, feedback=item, told_time=at)
                for item in linked
                if rng.random() < 0.8
            ]
        yield _append(f"action-{number:06d}", key, *happened)


def _routes(count: int) -> Iterator[Append]:
    """Every third item is routed to a function."""
    for number in range(0, count, 3):
        at = timestamp(START + timedelta(days=DAYS * number / count))
        routed = routing.FeedbackRouted(
            event_time=at,
            feedback=name(number),
            function=_FUNCTIONS[number // 3 % 8],
            hop=1,
            by="policies/bench",
        )
        yield _append(f"route-{number:08d}", 3 * 10**8 + number, routed)


async def speak(store: EventStore, count: int, seed: int = 7) -> int:
    """Write a market of ``count`` items of feedback; answer how many events that took."""
    rng, written, batch = random.Random(seed), 0, list[Append]()
    for part in (_customers(), _items(count, rng), _routes(count), _actions(count, rng)):
        for append in part:
            batch.append(append)
            if len(batch) == _BATCH:
                written += await _write(store, batch)
        written += await _write(store, batch)
    return written


async def _write(store: EventStore, batch: list[Append]) -> int:
    await store.append_batch(batch)
    written = sum(len(append.events) for append in batch)
    batch.clear()
    return written
