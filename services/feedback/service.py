"""The gRPC edge of feedback: message → command → decide → append → reply."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from equiloop.feedback.v1 import service_pb2 as api
from equiloop.feedback.v1.service_pb2_grpc import FeedbackServiceServicer
from google.protobuf.duration_pb2 import Duration

import services.feedback.domain.action as actions
from libs.chassis.call import current
from libs.chassis.edge import change, get
from libs.chassis.importing import Bulk, Tally, take_stream
from libs.chassis.paging import PAGE_BYTES, Page
from libs.contract.parse import parse
from libs.decider import Aggregate, Decider, Known, Request
from libs.eventstore.port import EventStore
from libs.kernel.refusals import NotFound, Refusal
from libs.kernel.values import Clock, derived_id, id_of, timestamp
from libs.projection.sqlite import SqliteDatabase
from services.feedback import resources
from services.feedback.domain import feedback
from services.feedback.questions import AsOf, Narrowed, OneAction, OneFeedback, Window
from services.feedback.stakes import Valuer, rank
from services.feedback.trace import trace
from services.feedback.views import inbox, loops

FEEDBACK = Aggregate("feedback", "feedback", feedback.INITIAL, feedback.evolve)
ACTION = Aggregate("action", "actions", actions.INITIAL, actions.evolve)


class FeedbackService(FeedbackServiceServicer):
    """Answers calls; what it knows it asks of the log and of its views."""

    def __init__(
        self,
        store: EventStore,
        decider: Decider,
        views: SqliteDatabase,
        valuer: Valuer,
        clock: Clock,
    ) -> None:
        """Ask ``valuer`` what customers are worth, ``clock`` for the present instant."""
        self._store, self._decider, self._views = store, decider, views
        self._valuer, self._clock = valuer, clock
        self._customers = Known(store, "customer")
        self._feedback = Known(store, "feedback")
        self._import = Bulk(decider, FEEDBACK, _item, feedback.decide, self._unknown_authors)

    # Intake

    async def RecordFeedback(self, request: api.RecordFeedbackRequest, _: Any) -> api.Feedback:
        """See the contract."""
        call = current().request(request)
        command = parse(feedback.RecordFeedback, request, feedback=_name(request, call))
        if command.customer and not await self._customers.has(id_of(command.customer)):
            raise NotFound(command.customer, "customer")
        decide = partial(feedback.decide, command)
        key = id_of(command.feedback)
        handled = await self._decider.handle(FEEDBACK, key, decide, call, new=True)
        current().wrote(handled.position)
        self._feedback.add(key)
        return resources.feedback(handled)

    async def ImportFeedback(
        self, request: api.ImportFeedbackRequest, _: Any
    ) -> api.ImportFeedbackResponse:
        """See the contract."""
        tally = Tally()
        await tally.take("feedback", request.feedback, self._import)
        return tally.fill(api.ImportFeedbackResponse(), api.ImportError)

    async def ImportFeedbackStream(
        self, requests: AsyncIterator[api.ImportFeedbackRequest], _: Any
    ) -> api.ImportFeedbackResponse:
        """See the contract."""
        tally = Tally()
        await take_stream(tally, "feedback", requests, self._import)
        return tally.fill(api.ImportFeedbackResponse(), api.ImportError)

    async def _unknown_authors(
        self, commands: Sequence[feedback.RecordFeedback]
    ) -> list[Refusal | None]:
        named = [id_of(command.customer) for command in commands if command.customer]
        unknown = await self._customers.missing(named)
        return [
            NotFound(command.customer, "customer")
            if command.customer and id_of(command.customer) in unknown
            else None
            for command in commands
        ]

    async def GetFeedback(self, request: api.GetFeedbackRequest, _: Any) -> api.Feedback:
        """See the contract."""
        return resources.feedback(
            await get(self._decider, FEEDBACK, parse(OneFeedback, request).name)
        )

    async def ListFeedback(
        self, request: api.ListFeedbackRequest, _: Any
    ) -> api.ListFeedbackResponse:
        """See the contract."""
        asked, page = parse(Narrowed, request), Page.of(request)
        with self._views.read() as db:
            found = inbox.list_names(
                db,
                after=page.after[0] if page.after else 0,
                limit=page.size + 1,
                customer=asked.customer or "",
                theme=asked.theme or "",
                channel=asked.channel or 0,
            )
        response, size = api.ListFeedbackResponse(), 0
        for shown, (_, name) in enumerate(found):
            if shown == page.size or size > PAGE_BYTES:
                response.next_page_token = page.token([found[shown - 1][0]])
                break
            item = resources.feedback(await get(self._decider, FEEDBACK, name))
            response.feedback.append(item)
            size += item.ByteSize()
        return response

    async def CodeFeedback(self, request: api.CodeFeedbackRequest, _: Any) -> api.Feedback:
        """See the contract."""
        command = parse(feedback.CodeFeedback, request)
        handled = await change(self._decider, FEEDBACK, command, feedback.decide, request)
        return resources.feedback(handled)

    # The loop

    async def CommitAction(self, request: api.CommitActionRequest, _: Any) -> api.Action:
        """See the contract."""
        call = current().request(request)
        key = call.derive("action")
        command = parse(actions.CommitAction, request, action=f"actions/{key}")
        unknown = await self._feedback.missing(map(id_of, command.feedback))
        if unknown:
            raise NotFound(f"feedback/{min(unknown)}", "feedback")
        decide = partial(actions.decide, command)
        handled = await self._decider.handle(ACTION, key, decide, call, new=True)
        current().wrote(handled.position)
        return resources.action(handled)

    async def CompleteAction(self, request: api.CompleteActionRequest, _: Any) -> api.Action:
        """See the contract."""
        command = parse(actions.CompleteAction, request)
        handled = await change(self._decider, ACTION, command, actions.decide, request)
        return resources.action(handled)

    async def DeclineAction(self, request: api.DeclineActionRequest, _: Any) -> api.Action:
        """See the contract."""
        command = parse(actions.DeclineAction, request)
        handled = await change(self._decider, ACTION, command, actions.decide, request)
        return resources.action(handled)

    async def CloseLoop(self, request: api.CloseLoopRequest, _: Any) -> api.Action:
        """See the contract."""
        command = parse(actions.CloseLoop, request)
        handled = await change(self._decider, ACTION, command, actions.decide, request)
        return resources.action(handled)

    async def GetAction(self, request: api.GetActionRequest, _: Any) -> api.Action:
        """See the contract."""
        return resources.action(await get(self._decider, ACTION, parse(OneAction, request).name))

    # Questions

    async def GetFeedbackToAction(
        self, request: api.GetFeedbackToActionRequest, _: Any
    ) -> api.FeedbackToAction:
        """See the contract."""
        asked, now = parse(Window, request), self._clock()
        window = loops.Window(
            start=_micros(asked.start_time, -loops.ALWAYS),
            end=_micros(asked.end_time, loops.ALWAYS),
            as_of=_micros(asked.as_of, loops.ALWAYS),
            theme=asked.theme or "",
            channel=asked.channel or 0,
        )
        with self._views.read() as db:
            funnel = loops.funnel(db, window, _micros(now, 0))
        received = funnel.received
        return api.FeedbackToAction(
            start_time=request.start_time if request.HasField("start_time") else None,
            end_time=request.end_time if request.HasField("end_time") else None,
            as_of=timestamp(asked.as_of or now),
            received_count=received,
            linked_count=funnel.linked,
            committed_count=funnel.committed,
            completed_count=funnel.completed,
            declined_count=funnel.declined,
            told_count=funnel.told,
            open_count=received - funnel.told,
            feedback_to_action=funnel.completed / received if received else 0.0,
            closed_loop_rate=funnel.told / received if received else 0.0,
            median_time_to_close=None if funnel.median is None else _duration(funnel.median),
            link_count=funnel.links,
        )

    async def ListOpenLoops(
        self, request: api.ListOpenLoopsRequest, _: Any
    ) -> api.ListOpenLoopsResponse:
        """See the contract."""
        theme = parse(Narrowed, request).theme or ""
        page, now = Page.of(request), _micros(self._clock(), 0)
        after = (page.after[0], page.after[1]) if page.after else (-(1 << 62), 0)
        response = api.ListOpenLoopsResponse()
        with self._views.read() as db:
            found = loops.open_loops(db, after=after, limit=page.size + 1, theme=theme)
            response.total_size = loops.count_open(db, theme)
            for item in found[: page.size]:
                loop = response.open_loops.add(
                    feedback=item.feedback,
                    customer=item.customer,
                    age=_duration(max(now - item.receive_time, 0)),
                    themes=loops.themes_of(db, item.feedback),
                    actions=loops.actions_of(db, item.feedback),
                )
                loop.receive_time.FromMicroseconds(item.receive_time)
        if len(found) > page.size:
            last = found[page.size - 1]
            response.next_page_token = page.token([last.receive_time, last.position])
        return response

    async def RankThemes(self, request: api.RankThemesRequest, _: Any) -> api.RankThemesResponse:
        """See the contract."""
        as_of = timestamp(parse(AsOf, request).as_of or self._clock())
        page = Page.of(request, default=20)
        with self._views.read() as db:
            stakes = loops.stakes(db)
        ranked = await rank(stakes, self._valuer, as_of)
        return api.RankThemesResponse(themes=ranked[: page.size], as_of=as_of)

    async def TraceFeedback(self, request: api.TraceFeedbackRequest, _: Any) -> api.FeedbackTrace:
        """See the contract."""
        item = await get(self._decider, FEEDBACK, parse(OneFeedback, request).name)
        with self._views.read() as db:
            names = loops.actions_of(db, request.name)
        linked = [await get(self._decider, ACTION, name) for name in names]
        return api.FeedbackTrace(
            feedback=resources.feedback(item),
            actions=map(resources.action, linked),
            told=any(request.name in action.state.told for action in linked),
            steps=await trace(self._store, request.name, names),
        )


def _name(message: api.RecordFeedbackRequest, call: Request) -> str:
    if message.source and message.source_id:
        return "feedback/" + derived_id("feedback", message.source, message.source_id)
    return "feedback/" + call.derive("feedback")


def _item(message: api.RecordFeedbackRequest, call: Request) -> tuple[str, feedback.ImportFeedback]:
    name = _name(message, call)
    return id_of(name), parse(feedback.ImportFeedback, message, feedback=name, request_id=None)


def _micros(instant: datetime | None, default: int) -> int:
    return default if instant is None else inbox.micros(timestamp(instant))


def _duration(micros: int) -> Duration:
    message = Duration()
    message.FromMicroseconds(micros)
    return message
