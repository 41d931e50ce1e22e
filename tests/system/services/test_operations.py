"""A real service meets an event that it cannot fold: it serves on, says so, and mends."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as feedback_api
from equiloop.operations.v1 import service_pb2 as api
from equiloop.operations.v1.service_pb2_grpc import OperationsServiceStub
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.demo.verify import compare
from deploy.local.child import Child, python, serving
from deploy.local.settings import on_free_ports
from libs.eventstore.connect import connect
from libs.eventstore.port import Expected, NewEvent
from tests.system.services.processes import Services, eventually, position, refused

FEEDBACK = "equiloop.feedback.v1.FeedbackService"
SICK = "batteries"
CODER = events.Coder(name="people/ada")


class Ailing(Services):
    """The feedback service on a log of its own; broken while a file is there."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        directory.joinpath("data").mkdir()
        super().__init__(on_free_ports(store="", data=directory / "data", logs=directory), stack)
        self.file = directory / "sick"
        channel = self._channels["feedback"]
        self.operations = OperationsServiceStub(channel)
        self.health: Any = health_pb2_grpc.HealthStub(channel)
        self._directory = directory

    def start_ailing(self) -> None:
        command = [*python("tests.system.services.ailing"), str(self.file)]
        probe = serving(self.settings.feedback)
        child = Child("feedback", command, probe, self._directory / "feedback.log")
        child.start(self.settings.environment())
        self._children["feedback"] = child
        eventually(child.healthy)
        grpc.channel_ready_future(self._channels["feedback"]).result(30)

    def says(self, name: str) -> bool:
        """Whether health says SERVING."""
        answer = self.health.Check(health_pb2.HealthCheckRequest(service=name))
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def parked(self, **asked: Any) -> list[api.ParkedStream]:
        request = api.ListParkedStreamsRequest(**asked)
        return list(self.operations.ListParkedStreams(request).parked_streams)

    def follower(self) -> api.Follower:
        followers = self.operations.GetStatus(api.GetStatusRequest()).followers
        (follower,) = (f for f in followers if f.kind == api.FOLLOWER_KIND_PROJECTION)
        return follower

    def say(self, text: str) -> Any:
        request = feedback_api.RecordFeedbackRequest(channel=events.CHANNEL_EMAIL, text=text)
        return self.feedback.RecordFeedback.with_call(request)

    def code(self, name: str, *themes: str) -> Any:
        request = feedback_api.CodeFeedbackRequest(
            name=name, themes=themes, coder=CODER, request_id=str(uuid4())
        )
        return self.feedback.CodeFeedback.with_call(request)

    def listed(self, call: grpc.Call, **asked: Any) -> list[str]:
        """Names of feedback, as seen at or after ``call``."""
        request = feedback_api.ListFeedbackRequest(**asked)
        answer = self.feedback.ListFeedback(request, metadata=position(call), timeout=10)
        return [each.name for each in answer.feedback]

    def append_broken(self, stream: str) -> UUID:
        """Append bytes that are no message, under the name of one, behind the service's back."""
        event = NewEvent(uuid4(), events.FeedbackCoded.DESCRIPTOR.full_name, b"\xff\xff\xff")

        async def append() -> None:
            store = await connect(self.settings.store_url)
            await store.append(stream, [event], Expected.ANY)
            await store.close()

        asyncio.run(append())
        return event.id

    def differing(self) -> list[str]:
        """Tables that are not as the log makes them; the service must not run."""

        async def tables() -> list[str]:
            store = await connect(self.settings.store_url)
            live, fresh = self.settings.data / "feedback", self.settings.data / "fresh"
            found = await compare(store, "feedback", live, fresh)
            await store.close()
            return [each.table for each in found if not each.equal]

        return asyncio.run(tables())


@pytest.fixture
def ailing(tmp_path: Path) -> Iterator[Ailing]:
    with ExitStack() as stack:
        made = Ailing(tmp_path, stack)
        stack.callback(made.stop_all)
        made.start_ailing()
        yield made


def test_a_view_that_stumbles_holds_back_one_stream_until_it_is_mended(ailing: Ailing) -> None:
    """Others are served, all that shows it does, and a retry drains it in order after the fix.

    The process is killed in between; in the end the rows are those of a rebuild.
    """
    eventually(lambda: ailing.says(FEEDBACK + "/views"))
    ailing.file.write_text(SICK)
    sick, well = (ailing.say(text)[0].name for text in ("They die at noon", "I like it"))
    for themes in ((SICK,), ("light", "price"), ("light",)):
        ailing.code(sick, *themes)
    _, call = ailing.code(well, "light")

    assert ailing.listed(call) == [sick, well]
    assert ailing.listed(call, theme="light") == [well]  # the last coding of the other waits
    eventually(lambda: not ailing.says(FEEDBACK + "/views"))
    assert ailing.says(FEEDBACK)
    assert ailing.says("")
    (parked,) = ailing.parked(view="feedback_inbox")
    assert (parked.stream, parked.revision) == (sick.replace("/", "-"), 1)
    assert parked.reason == f"ZeroDivisionError: no room for {SICK}"
    assert parked.event_type == events.FeedbackCoded.DESCRIPTOR.full_name
    assert parked.held_back_event_count == 3
    follower = ailing.follower()
    assert (follower.name, follower.kind) == ("feedback", api.FOLLOWER_KIND_PROJECTION)
    assert follower.parked_stream_count == len(ailing.parked())
    assert "feedback_inbox" in follower.views

    retry = api.RetryParkedStreamsRequest(view="feedback_inbox", stream=parked.stream)
    answer = ailing.operations.RetryParkedStreams(retry)
    assert (answer.drained_count, answer.parked_count) == (0, 1)
    assert answer.parked_streams[0].position == parked.position

    ailing.kill("feedback")
    ailing.start_ailing()
    assert [each.event_id for each in ailing.parked(view="feedback_inbox")] == [parked.event_id]
    ailing.file.unlink()
    answer = ailing.operations.RetryParkedStreams(api.RetryParkedStreamsRequest())
    assert (answer.drained_count, answer.parked_count) == (1, 0)
    assert answer.drained_streams[0].held_back_event_count == 3
    assert ailing.listed(call, theme="light") == [sick, well]
    assert not ailing.listed(call, theme=SICK)
    eventually(lambda: ailing.says(FEEDBACK + "/views"))
    assert ailing.follower().state == api.FOLLOWER_STATE_FOLLOWING
    ailing.stop("feedback")
    assert not ailing.differing()


def test_bytes_that_cannot_be_read_stop_one_stream_only(ailing: Ailing) -> None:
    """What is no message is parked by every view that wants it; operators are told by script."""
    event = ailing.append_broken(f"feedback-{uuid4()}")
    whole, call = ailing.say("second")
    assert ailing.listed(call) == [whole.name]
    rows = ailing.parked()
    assert {row.event_id for row in rows} == {str(event)}
    assert "DecodeError" in rows[0].reason
    assert len({row.view for row in rows}) == len(rows) == ailing.follower().parked_stream_count

    request = api.ListParkedStreamsRequest(page_size=1)
    pages = [ailing.operations.ListParkedStreams(request)]
    while pages[-1].next_page_token:
        request.page_token = pages[-1].next_page_token
        pages.append(ailing.operations.ListParkedStreams(request))
    assert [row.view for page in pages for row in page.parked_streams] == [row.view for row in rows]

    told = script(ailing, "status")
    assert told.returncode == 1
    assert "feedback" in told.stdout
    assert f"{len(rows)} parked" in told.stdout
    assert str(event) in script(ailing, "parked").stdout
    assert f"0 drained, {len(rows)} still parked" in script(ailing, "retry").stdout
    ailing.stop("feedback")
    with pytest.raises(Exception, match=str(event)):  # an audit is told, too
        ailing.differing()


def test_a_view_that_there_is_not_is_named(ailing: Ailing) -> None:
    """A retry or a list of an unknown view says so instead of finding nothing."""
    asked = api.ListParkedStreamsRequest(view="nothing")
    error = refused(lambda: ailing.operations.ListParkedStreams(asked))
    assert error.code is grpc.StatusCode.NOT_FOUND


def script(ailing: Ailing, what: str) -> subprocess.CompletedProcess[str]:
    """Ask as an operator does."""
    return subprocess.run(
        [sys.executable, "-m", "deploy.local", what],
        env={**ailing.settings.environment(), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
