"""What these tests share: commands on feedback and actions, and ways to send them."""

from functools import partial

from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api

from libs.contract.events import CODEC
from libs.contract.parse import parse
from libs.decider import Attempt, Decider, Handled, Request
from libs.eventstore.port import EventStore, RecordedEvent
from services.feedback.domain import feedback as domain
from services.feedback.domain.feedback import Feedback
from services.feedback.domain.intake import CodeFeedback, Coder, RecordFeedback
from services.feedback.service.means import FEEDBACK
from tests.specs.given import NOW

FIRST = "8a2c4a3e-8d0f-4d0c-9a5e-6a5d5f1f0a01"
SECOND = "8a2c4a3e-8d0f-4d0c-9a5e-6a5d5f1f0a02"


def decider(store: EventStore) -> Decider:
    """Make one with a memory of its own, as each process has."""
    return Decider(store, CODEC, lambda: NOW)


def recording(
    text: str = "dies", *, source_id: str = "17", request_id: str = ""
) -> api.RecordFeedbackRequest:
    """A request to record feedback."""
    return api.RecordFeedbackRequest(
        channel=events.CHANNEL_WEB,
        text=text,
        source="reviews",
        source_id=source_id,
        request_id=request_id,
    )


async def record(
    by: Decider, message: api.RecordFeedbackRequest, *, new: bool = True
) -> Handled[Feedback]:
    """Record feedback called like its source id."""
    key = message.source_id
    command = parse(RecordFeedback, message, feedback=f"feedback/{key}")
    decide = partial(domain.decide, command)
    return await by.handle(FEEDBACK, key, decide, Request.of(message), new=new)


async def code(
    by: Decider, *themes: str, key: str = "17", etag: int | None = None, request_id: str = ""
) -> Handled[Feedback]:
    """Say what feedback is about."""
    message = api.CodeFeedbackRequest(
        name=f"feedback/{key}",
        themes=themes,
        coder=events.Coder(name="people/7"),
        request_id=request_id,
    )
    decide = partial(domain.decide, parse(CodeFeedback, message))
    return await by.handle(FEEDBACK, key, decide, Request.of(message), etag=etag)


def attempt(message: api.RecordFeedbackRequest) -> Attempt[Feedback]:
    """One item of a bulk."""
    key = message.source_id
    command = parse(RecordFeedback, message, feedback=f"feedback/{key}")
    return Attempt(key, partial(domain.decide, command), Request())


def coding(key: str, *themes: str) -> Attempt[Feedback]:
    """One item of a bulk, on a thing that is there already."""
    command = CodeFeedback(name=f"feedback/{key}", themes=themes, coder=Coder(name="people/7"))
    return Attempt(key, partial(domain.decide, command), Request())


async def log(store: EventStore) -> list[RecordedEvent]:
    """All that has happened."""
    return [event async for batch in store.read_all() for event in batch.events]


async def names(store: EventStore) -> list[str]:
    """What has happened, by name."""
    return [event.type.rsplit(".", 1)[1] for event in await log(store)]
