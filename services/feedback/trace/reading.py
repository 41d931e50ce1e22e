"""Reads the steps of a way from the streams themselves: what the log says, not what a view kept."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import market_events_pb2 as market
from equiloop.feedback.v1 import service_pb2 as api
from google.protobuf.message import Message

from libs.contract.events import CODEC
from libs.eventstore.port import EventStore, StreamNotFound
from libs.kernel.values import id_of
from services.feedback.trace.telling import TELL, step_of

ADDING = (events.ActionLinked, market.NeedEvidenceAdded)
"""Events that add feedback to a thing that answers other feedback already."""


@dataclass(frozen=True, slots=True)
class Way:
    """Whose history to read: streams of a category, by the resource names of the things."""

    category: str
    names: Iterable[str]


async def read(store: EventStore, ways: Iterable[Way], about: str = "") -> list[api.TraceStep]:
    """Answer the steps of all things on these ways, in log order.

    ``about`` is the feedback whose way it is: what happened to other feedback alone is left out.
    """
    steps = [
        step
        for way in ways
        for name in way.names
        async for step in _steps(store, name, f"{way.category}-{id_of(name)}", about)
    ]
    return sorted(steps, key=lambda step: step.position)


async def _steps(
    store: EventStore, resource: str, stream: str, about: str
) -> AsyncIterator[api.TraceStep]:
    try:
        async for batch in store.read_stream(stream, start=0):
            for recorded in batch.events:
                event = CODEC.decode(recorded)
                if type(event) in TELL and concerns(event, about):
                    yield step_of(resource, recorded, event)
    except StreamNotFound:
        return  # a thing that never had this part of a history, such as feedback never routed


def concerns(event: Message, about: str) -> bool:
    """Say whether an event is part of the way of the feedback ``about`` (empty: of any).

    What names one item is of that one alone (who was told), and so is what adds some to a thing
    that there is already; everything else that happens to a thing is of all that it answers.
    """
    named: str | Sequence[str] = getattr(event, "feedback", "")
    if not about or not named:
        return True
    if isinstance(named, str):
        return named == about
    return about in named or not isinstance(event, ADDING)
