"""Dialogue: conversations listed and read, who speaks how much, and who waits how long."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import apsw
import numpy as np
from equiloop.feedback.v1 import conversation_service_pb2 as api
from equiloop.feedback.v1 import events_pb2 as feedback

from libs.chassis.edge import get
from libs.chassis.paging import PAGE_BYTES, Page
from libs.contract.parse import parse
from libs.kernel.values import timestamp
from services.feedback.funnel.survival import survival
from services.feedback.questions.talk import (
    ConversationsAsked,
    OneConversation,
    RatioAsked,
    ResponsesAsked,
    TurnsAsked,
)
from services.feedback.resources import duration
from services.feedback.resources import talk as resources
from services.feedback.service.means import CONVERSATION, Part
from services.feedback.views import conversations
from services.feedback.views.facts import ALWAYS
from services.feedback.views.inbox import micros

_FUNCTIONS = 1000
_DAY = timedelta(days=1)


class Dialogue(Part):
    """The part of ConversationService that is asked."""

    async def GetConversation(
        self, request: api.GetConversationRequest, _: Any
    ) -> api.Conversation:
        """See the contract."""
        name = parse(OneConversation, request).name
        handled = await get(self.means.decider, CONVERSATION, name)
        return resources.conversation(name, handled)

    async def ListConversations(
        self, request: api.ListConversationsRequest, _: Any
    ) -> api.ListConversationsResponse:
        """See the contract."""
        asked, page = parse(ConversationsAsked, request), Page.of(request)
        with self.means.views.read() as db:
            found = conversations.list_conversations(
                db,
                after=page.after[0] if page.after else -1,
                limit=page.size + 1,
                customer=asked.customer or "",
            )
        response = api.ListConversationsResponse()
        for _position, name in found[: page.size]:
            handled = await get(self.means.decider, CONVERSATION, name)
            response.conversations.append(resources.conversation(name, handled))
        if len(found) > page.size:
            response.next_page_token = page.token([found[page.size - 1][0]])
        return response

    async def ListTurns(self, request: api.ListTurnsRequest, _: Any) -> api.ListTurnsResponse:
        """See the contract."""
        name, page = parse(TurnsAsked, request).parent, Page.of(request)
        count = (await get(self.means.decider, CONVERSATION, name)).state.count
        after = page.after[0] if page.after else 0
        response, size = api.ListTurnsResponse(), 0
        if after < count:
            async for turn in resources.turns(self.means.store, name, after, page.size):
                response.turns.append(turn)
                size += turn.ByteSize()
                if size > PAGE_BYTES:
                    break
        shown = after + len(response.turns)
        if shown < count:
            response.next_page_token = page.token([shown])
        return response

    async def GetTwoWayRatio(self, request: api.GetTwoWayRatioRequest, _: Any) -> api.TwoWayRatio:
        """See the contract."""
        asked, now = parse(RatioAsked, request), self.means.clock()
        counted = await self.means.aside.read(partial(conversations.two_way, asked=_asked(asked)))
        answer = api.TwoWayRatio(
            start_time=request.start_time if request.HasField("start_time") else None,
            end_time=request.end_time if request.HasField("end_time") else None,
            as_of=timestamp(now),
            received_count=counted.received,
            sent_count=counted.sent,
            conversation_count=counted.conversations,
            two_way_count=counted.two_way,
            asked_by_customers_count=counted.asked_by_customers,
            given_to_customers_count=counted.given_to_customers,
            asked_by_us_count=counted.asked_by_us,
            given_to_us_count=counted.given_to_us,
        )
        if counted.sent:
            answer.received_per_sent = counted.received / counted.sent
        if counted.conversations:
            answer.two_way_share = counted.two_way / counted.conversations
        return answer

    async def GetResponseTimes(
        self, request: api.GetResponseTimesRequest, _: Any
    ) -> api.ResponseTimes:
        """See the contract."""
        asked, now = parse(ResponsesAsked, request), self.means.clock()
        within = asked.within or _DAY

        def figures(db: apsw.Connection) -> api.ResponseTimes:
            rows = conversations.waits(db, _asked(asked), micros(timestamp(now)))
            return _responses(rows, within)

        answer = await self.means.aside.read(figures)
        if request.HasField("start_time"):
            answer.start_time.CopyFrom(request.start_time)
        if request.HasField("end_time"):
            answer.end_time.CopyFrom(request.end_time)
        answer.as_of.CopyFrom(timestamp(asked.as_of or now))
        answer.within.FromTimedelta(within)
        return answer


def _responses(rows: Sequence[tuple[str, int, int, int]], within: timedelta) -> api.ResponseTimes:
    """Answer the figures of (function, channel, µs, answered): of all, and of each."""
    functions: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    channels: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for function, channel, waited, answered in rows:
        functions[function].append((waited, answered))
        channels[channel].append((waited, answered))
    bound = within // timedelta(microseconds=1)
    return api.ResponseTimes(
        overall=_response([(waited, answered) for _, _, waited, answered in rows], bound),
        functions=[
            _response(functions[name], bound, function=name)
            for name in sorted(functions)[:_FUNCTIONS]
        ],
        channels=[
            _response(channels[number], bound, channel=feedback.Channel.ValueType(number))
            for number in sorted(channels)
        ],
    )


def _asked(asked: RatioAsked) -> conversations.Asked:
    as_of = asked.as_of if isinstance(asked, ResponsesAsked) else None
    return conversations.Asked(
        start=-ALWAYS if asked.start_time is None else micros(timestamp(asked.start_time)),
        end=ALWAYS if asked.end_time is None else micros(timestamp(asked.end_time)),
        as_of=ALWAYS if as_of is None else micros(timestamp(as_of)),
        segment=asked.segment or "",
        channel=asked.channel or 0,
        function=asked.function or "",
    )


def _response(waits: Sequence[tuple[int, int]], bound: int, **of: Any) -> api.ResponseTime:
    """Answer the figures of (µs waited, whether it ended with an answer).

    The share answered within the bound is 1 − S(bound); S is not known beyond the longest wait.
    """
    answered = sum(ended for _, ended in waits)
    answer = api.ResponseTime(
        received_count=len(waits),
        answered_count=answered,
        waiting_count=len(waits) - answered,
        **of,
    )
    if not waits:
        return answer
    pairs = np.array(waits, np.int64)
    is_answered = pairs[:, 1].astype(bool)
    curve = survival(pairs[is_answered, 0], pairs[~is_answered, 0])
    if curve.median is not None:
        answer.median_time.CopyFrom(duration(curve.median))
    before = int(np.searchsorted(curve.durations, bound, side="right"))
    open_share = float(curve.shares[before - 1]) if before else 1.0
    if int(pairs[:, 0].max()) >= bound or open_share <= 0:
        answer.within_share = 1 - open_share
    return answer
