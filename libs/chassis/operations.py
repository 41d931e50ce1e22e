"""The operations contract, served by every process: how its projections and policies get on."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from equiloop.operations.v1 import service_pb2 as api
from equiloop.operations.v1.service_pb2_grpc import (
    OperationsServiceServicer,
    add_OperationsServiceServicer_to_server,
)
from google.protobuf.duration_pb2 import Duration

from libs.chassis.paging import LARGEST, Page
from libs.eventstore.port import EventStore
from libs.kernel.refusals import NotFound
from libs.projection import Projection
from libs.projection.parking import Parked, ParkedStreams
from libs.projection.reactor import Reactor
from libs.projection.runner import Retried
from libs.projection.watchdog import State, Watchdog
from libs.telemetry.following import Followed

_STATES = {
    State.CATCHING_UP: api.FOLLOWER_STATE_CATCHING_UP,
    State.FOLLOWING: api.FOLLOWER_STATE_FOLLOWING,
    State.BEHIND: api.FOLLOWER_STATE_BEHIND,
    State.STANDING_STILL: api.FOLLOWER_STATE_STANDING_STILL,
}


class Operations(OperationsServiceServicer):
    """Watches over what follows the log in this process, and answers for it."""

    def __init__(
        self,
        store: EventStore,
        projections: Sequence[Projection[Any]],
        reactors: Sequence[Reactor] = (),
    ) -> None:
        """Answer for these."""
        self._projections = projections
        followings = [each.following for each in projections]
        followings += [each.following for each in reactors]
        self.watchdog = Watchdog(store, followings)
        self._retries: set[asyncio.Task[Retried]] = set()

    def register(self, server: Any) -> None:
        """Add these methods to a server."""
        add_OperationsServiceServicer_to_server(self, server)

    def is_well(self) -> bool:
        """Say whether everything has caught up once, nothing stands still and nothing is parked."""
        unwell = (State.CATCHING_UP, State.STANDING_STILL)
        return all(each.state not in unwell for each in self.watchdog.watched) and not any(
            len(projection.parked) for projection in self._projections
        )

    def measure(self) -> Iterator[Followed]:
        """Answer what metrics show."""
        projections = self._by_name()
        for watched in self.watchdog.watched:
            name = watched.following.name
            parked = projections[name].parked if name in projections else ParkedStreams(())
            yield Followed(
                name,
                watched.following.position,
                watched.head,
                watched.behind,
                watched.alarmed,
                watched.alarms,
                len(parked),
                parked.held,
            )

    async def close(self) -> None:
        """Cut off what is being retried; it goes on where it was when the process starts again."""
        for task in self._retries:
            task.cancel()
        await asyncio.gather(*self._retries, return_exceptions=True)

    # The contract

    async def GetStatus(self, _: api.GetStatusRequest, __: Any) -> api.GetStatusResponse:
        """See the contract."""
        projections = self._by_name()
        response = api.GetStatusResponse()
        for watched in self.watchdog.watched:
            following = watched.following
            follower = response.followers.add(
                name=following.name,
                kind=api.FOLLOWER_KIND_POLICY,
                state=_STATES[watched.state],
                position=following.position,
                head=watched.head,
                behind=Duration(seconds=int(watched.behind)),
                idle=Duration(seconds=int(watched.idle)),
                last_error=following.error,
                alarm_count=watched.alarms,
            )
            if (projection := projections.get(following.name)) is not None:
                follower.kind = api.FOLLOWER_KIND_PROJECTION
                follower.views.extend(projection.views)
                follower.mended_views.extend(projection.mended)
                follower.parked_stream_count = len(projection.parked)
                follower.held_back_event_count = projection.parked.held
        return response

    async def ListParkedStreams(
        self, request: api.ListParkedStreamsRequest, _: Any
    ) -> api.ListParkedStreamsResponse:
        """See the contract."""
        page = Page.of(request)
        self._check_view(request.view)
        rows = sorted(self._parked(request.view), key=_place)
        found = [row for row in rows if page.after is None or _place(row) > page.after]
        shown = found[: page.size]
        more = page.token(_place(shown[-1])) if len(found) > page.size else ""
        return api.ListParkedStreamsResponse(
            parked_streams=map(_resource, shown), next_page_token=more
        )

    async def RetryParkedStreams(
        self, request: api.RetryParkedStreamsRequest, _: Any
    ) -> api.RetryParkedStreamsResponse:
        """See the contract. What was begun is not cut off with the call."""
        self._check_view(request.view)

        def chosen(row: Parked) -> bool:
            return request.view in ("", row.view) and request.stream in ("", row.stream)

        response = api.RetryParkedStreamsResponse()
        for projection in self._projections:
            task = asyncio.create_task(projection.retry(chosen))
            self._retries.add(task)
            task.add_done_callback(self._retries.discard)
            retried = await asyncio.shield(task)
            response.drained_count += len(retried.drained)
            response.parked_count += len(retried.stayed)
            response.drained_streams.extend(map(_resource, retried.drained))
            response.parked_streams.extend(map(_resource, retried.stayed))
        del response.drained_streams[LARGEST:]
        del response.parked_streams[LARGEST:]
        return response

    def _by_name(self) -> dict[str, Projection[Any]]:
        return {projection.following.name: projection for projection in self._projections}

    def _parked(self, view: str) -> Iterator[Parked]:
        for projection in self._projections:
            yield from (row for row in projection.parked if view in ("", row.view))

    def _check_view(self, view: str) -> None:
        if view and not any(view in projection.views for projection in self._projections):
            raise NotFound(f"views/{view}", "view")


def _place(row: Parked) -> list[Any]:
    return [row.position, row.view, row.stream]


def _resource(row: Parked) -> api.ParkedStream:
    shown = api.ParkedStream(
        view=row.view,
        stream=row.stream,
        position=row.position,
        revision=row.revision,
        event_id=row.event,
        event_type=row.type,
        reason=row.reason,
        held_back_event_count=row.held,
    )
    shown.park_time.FromMicroseconds(row.time)
    return shown
