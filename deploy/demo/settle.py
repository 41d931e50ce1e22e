"""Waits until nothing is left to react to: policies answer events with events of their own."""

import asyncio
import time

import grpc
from equiloop.operations.v1 import service_pb2 as api
from equiloop.operations.v1.service_pb2_grpc import OperationsServiceStub

from deploy.local.settings import LocalSettings

PATIENCE = 120.0
"""Seconds in which policies must have come to the end of the log."""

_BETWEEN = 0.2
_REACTING = ("feedback", "offers")


class Unsettled(Exception):
    """Policies did not come to the end of the log in time; the message says which."""


async def settled(settings: LocalSettings) -> int:
    """Return the head of the log once all that reacts to it has twice been seen there.

    Raises Unsettled.
    """
    until, before, reached = time.monotonic() + PATIENCE, -1, 0
    while reached != before or reached == 0:
        before = reached
        reached, late = await _look(settings)
        if late and time.monotonic() > until:
            raise Unsettled(f"not at the end of the log within {PATIENCE:.0f} s: {', '.join(late)}")
        await asyncio.sleep(_BETWEEN)
    return reached


async def _look(settings: LocalSettings) -> tuple[int, list[str]]:
    """Answer where all are, 0 while some are not at the head, and who is not."""
    followers: list[api.Follower] = []
    for service in _REACTING:
        async with grpc.aio.insecure_channel(getattr(settings, service)) as channel:
            status = await OperationsServiceStub(channel).GetStatus(api.GetStatusRequest())
        followers += status.followers
    head = max(follower.head for follower in followers)
    late = [follower.name for follower in followers if follower.position < head]
    return (0 if late else head), late
