"""The way of one piece of feedback, read from the streams themselves: word → action → told."""

from collections.abc import AsyncIterator, Sequence

from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api
from google.protobuf.message import Message

from libs.contract.events import CODEC
from libs.eventstore.port import EventStore, RecordedEvent
from libs.kernel.values import id_of


def _summary(event: Message) -> str:
    """Say in a few words what happened; never what a person said."""
    match event:
        case events.FeedbackReceived():
            return f"received by {_word(events.Channel.Name(event.channel), 'CHANNEL_')}"
        case events.FeedbackAttributed():
            return f"attributed to {event.customer} by {event.by}"
        case events.FeedbackCoded():
            about = ", ".join(event.themes) or "no theme"
            feels = "" if event.without_sentiment else f"; sentiment {event.sentiment:+.2f}"
            return f"coded by {event.coder.name}: {about}{feels}"
        case events.CauseClassified():
            return f"cause: {_word(events.Cause.Name(event.cause), 'CAUSE_')}"
        case events.ActionCommitted():
            kind = _word(events.ActionKind.Name(event.kind), "ACTION_KIND_")
            return f"{event.owner} committed to a {kind}: {event.title}"
        case events.ActionCompleted():
            return f"completed: {event.outcome}"
        case events.ActionDeclined():
            return f"declined: {event.reason}"
        case events.LoopClosed():
            return f"told by {_word(events.Channel.Name(event.channel), 'CHANNEL_')}"
    return event.DESCRIPTOR.name


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower().replace("_", " ")


async def trace(store: EventStore, feedback: str, actions: Sequence[str]) -> list[api.TraceStep]:
    """Answer the steps of ``feedback`` and of its ``actions``, in log order."""
    steps = [step async for step in _steps(store, feedback, f"feedback-{id_of(feedback)}")]
    for action in actions:
        async for step in _steps(store, action, f"action-{id_of(action)}", only=feedback):
            steps.append(step)  # noqa: PERF401 - an async generator cannot be spread into a list
    return sorted(steps, key=lambda step: step.position)


async def _steps(
    store: EventStore, resource: str, stream: str, only: str = ""
) -> AsyncIterator[api.TraceStep]:
    async for batch in store.read_stream(stream, start=0):
        for recorded in batch.events:
            event = CODEC.decode(recorded)
            if only and isinstance(event, events.LoopClosed) and event.feedback != only:
                continue  # another customer was told
            yield _step(resource, recorded, event)


def _step(resource: str, recorded: RecordedEvent, event: Message) -> api.TraceStep:
    return api.TraceStep(
        event_time=event.event_time,  # type: ignore[attr-defined]
        event_type=recorded.type,
        resource=resource,
        summary=_summary(event),
        event_id=str(recorded.id),
        position=recorded.position,
    )
