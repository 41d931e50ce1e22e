"""Asks the services of this machine how they get on: `python -m deploy.local status`.

Each process is asked at its own address; the gateway does not lead to their operations.
"""

from collections.abc import Callable, Iterator
from typing import Any

import grpc
from equiloop.operations.v1 import service_pb2 as api
from equiloop.operations.v1.service_pb2_grpc import OperationsServiceStub

from deploy.local.settings import SERVICES, LocalSettings

_PATIENCE = 60.0
"""Seconds for an answer: a retry folds what was held back."""

Tell = Callable[[str, OperationsServiceStub], bool]
"""Prints what a service answers; says whether all is well with it."""


def status(service: str, stub: OperationsServiceStub) -> bool:
    """Show every projection and policy."""
    followers = stub.GetStatus(api.GetStatusRequest(), timeout=_PATIENCE).followers
    for each in followers:
        state = api.FollowerState.Name(each.state).removeprefix("FOLLOWER_STATE_").lower()
        line = f"{service:<10} {each.name:<26} {state.replace('_', ' '):<15}"
        line += f" position {each.position} of {each.head}"
        if each.behind.seconds:
            line += f", behind for {each.behind.seconds} s"
        if each.parked_stream_count:
            line += f", {each.parked_stream_count} parked, {each.held_back_event_count} held back"
        if each.mended_views:
            line += f", to be made anew by a restart: {', '.join(each.mended_views)}"
        print(line + (f": {each.last_error}" if each.last_error else ""))
    return not any(
        each.parked_stream_count or each.state == api.FOLLOWER_STATE_STANDING_STILL
        for each in followers
    )


def parked(service: str, stub: OperationsServiceStub) -> bool:
    """Show every stream that a view holds back."""
    found = list(_parked(stub))
    for row in found:
        print(f"{service:<10} {_line(row)}")
    return not found


def retry(service: str, stub: OperationsServiceStub) -> bool:
    """Fold what is held back."""
    answer = stub.RetryParkedStreams(api.RetryParkedStreamsRequest(), timeout=_PATIENCE)
    print(f"{service:<10} {answer.drained_count} drained, {answer.parked_count} still parked")
    for row in answer.parked_streams:
        print(f"{service:<10} {_line(row)}")
    return not answer.parked_count


COMMANDS: dict[str, Tell] = {"status": status, "parked": parked, "retry": retry}


def ask(command: str, settings: LocalSettings) -> int:
    """Ask every service; answer 0 if all is well with all of them, else 1."""
    is_well = True
    for service in SERVICES:
        with grpc.insecure_channel(getattr(settings, service)) as channel:
            try:
                is_well &= COMMANDS[command](service, OperationsServiceStub(channel))
            except grpc.RpcError as error:
                print(f"{service:<10} does not answer: {_reason(error)}")
                is_well = False
    return 0 if is_well else 1


def _parked(stub: OperationsServiceStub) -> Iterator[api.ParkedStream]:
    request = api.ListParkedStreamsRequest(page_size=1000)
    while True:
        page = stub.ListParkedStreams(request, timeout=_PATIENCE)
        yield from page.parked_streams
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def _reason(error: grpc.RpcError) -> str:
    call: Any = error  # it is a call, too, which its type does not say
    return str(call.details())


def _line(row: api.ParkedStream) -> str:
    return (
        f"{row.view}: {row.stream} at revision {row.revision} (position {row.position}), "
        f"{row.event_type} {row.event_id}, {row.held_back_event_count} held back: {row.reason}"
    )
