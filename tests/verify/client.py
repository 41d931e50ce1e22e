"""A client of the feedback service that never gives up: it keeps what it was told of each command.

Every failed attempt must be one that may be repeated, and answered by the service itself within its
own deadline; the client's own is far behind it.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
import grpc.aio
from equiloop.feedback.v1 import service_pb2 as api
from equiloop.feedback.v1.events_pb2 import CHANNEL_WEB
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from libs.chassis.call import MIN_POSITION, POSITION
from tests.verify.findings import Finding

if TYPE_CHECKING:
    from equiloop.feedback.v1.service_pb2_grpc import FeedbackServiceAsyncStub

REPEATABLE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}

SERVICE_DEADLINE = 1.0
"""Seconds that the service is given for a command."""

GIVING_UP = 10.0
"""Seconds after which the client takes the service for dead."""

PAUSE = 0.1
"""Seconds between two attempts."""


@dataclass
class Client:
    """Records feedback, command after command; what it was told is the truth to compare with."""

    stub: "FeedbackServiceAsyncStub"
    forgetful: bool = False
    """Whether it draws a new request id for each attempt, as none should."""
    done: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By the words of the feedback: its name, and the position of its event."""
    repeated: int = 0
    """Commands that took more than one attempt."""
    failures: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    async def work(self, number: int, enough: asyncio.Event) -> None:
        """Send commands until it is enough, each until it is done."""
        sent = 0
        while not enough.is_set():
            await self.record(f"words {number}-{sent}")
            sent += 1

    async def record(self, words: str) -> None:
        """Record feedback; try again until it is done."""
        request = api.RecordFeedbackRequest(
            text=words, channel=CHANNEL_WEB, request_id=str(uuid4())
        )
        attempts = 1
        while not await self._attempt(request):
            attempts += 1
            if self.forgetful:
                request.request_id = str(uuid4())
            await asyncio.sleep(PAUSE)
        self.repeated += attempts > 1

    async def _attempt(self, request: api.RecordFeedbackRequest) -> bool:
        call = self.stub.RecordFeedback(request)  # its deadline is the service's own
        try:
            async with asyncio.timeout(GIVING_UP):
                reply = await call
        except TimeoutError:
            self.findings.append(Finding("silent", f"no answer within {GIVING_UP:g} s"))
            return False
        except grpc.aio.AioRpcError as error:
            self._note(error)
            return False
        trailers = dict(await call.trailing_metadata())
        self.done[request.text] = reply.name, int(trailers[POSITION])
        return True

    def _note(self, error: grpc.aio.AioRpcError) -> None:
        reason = reason_of(error)
        self.failures[f"{error.code().name} {reason}"] += 1
        if not reason:
            self.findings.append(Finding("silent", f"{error.code().name}: {error.details()}"))
        elif error.code() not in REPEATABLE:
            self.findings.append(Finding("unexpected", f"{error.code().name}: {error.details()}"))

    async def listed(self, position: int, patience: float) -> set[str] | None:
        """Answer the names that the view lists once it has come to ``position``; None: never."""
        names: set[str] = set()
        token, until = "", asyncio.get_running_loop().time() + patience
        while asyncio.get_running_loop().time() < until:
            request = api.ListFeedbackRequest(page_size=1000, page_token=token)
            try:
                page = await self.stub.ListFeedback(
                    request, timeout=GIVING_UP, metadata=((MIN_POSITION, str(position)),)
                )
            except grpc.aio.AioRpcError:
                await asyncio.sleep(PAUSE)
                continue
            names |= {item.name for item in page.feedback}
            token = page.next_page_token
            if not token:
                return names
        return None


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """Answer why the service itself says that it failed; empty where it said nothing."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            for detail in Status.FromString(value).details:
                info = ErrorInfo()
                if detail.Unpack(info):
                    return info.reason
    return ""
