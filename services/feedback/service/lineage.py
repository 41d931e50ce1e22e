"""Lineage: from words to worth, and back again from an action or an offer."""

from collections.abc import Iterable
from typing import Any

from equiloop.feedback.v1 import service_pb2 as api
from google.protobuf.timestamp_pb2 import Timestamp

from libs.chassis.edge import get
from libs.contract.parse import parse
from libs.kernel.money import to_message
from libs.kernel.refusals import NotFound
from libs.kernel.values import timestamp
from services.feedback import resources
from services.feedback.questions import OneAction, OneFeedback, OneOffer
from services.feedback.service.means import ACTION, FEEDBACK, Part
from services.feedback.stakes import change
from services.feedback.trace import Way, bought, read
from services.feedback.views import lineage, loops, needs
from services.feedback.views.inbox import micros
from services.feedback.views.loops import Traced

PURCHASES = 100
"""Most later purchases that a trace shows as steps; all are counted."""

ITEMS = 1000
"""Most feedback that the trace of an offer shows; all is counted."""


class Lineage(Part):
    """The part of FeedbackService that shows how things hang together."""

    async def TraceFeedback(self, request: api.TraceFeedbackRequest, _: Any) -> api.FeedbackTrace:
        """See the contract."""
        name = parse(OneFeedback, request).name
        item = resources.feedback(await get(self.means.decider, FEEDBACK, name))
        with self.means.views.read() as db:
            names = loops.actions_of(db, name)
            shown_by = needs.needs_of(db, name)
        linked = [await get(self.means.decider, ACTION, action) for action in names]
        answered = {need for action in linked for need in action.state.needs}
        told = min((a.state.told[name] for a in linked if name in a.state.told), default=None)
        since = micros(item.receive_time if told is None else timestamp(told))
        who = item.customer
        with self.means.views.read() as db:
            offers = lineage.offers_because_of(db, (name, *names, *shown_by, *answered))
            shown = lineage.presentations_to(db, who, offers) if who else []
            purchases = lineage.purchases(db, who, after=since, limit=PURCHASES) if who else []
            count, spent = lineage.purchased(db, who, after=since) if who else (0, {})
        ways = (
            Way("feedback", [name]),
            Way("route", [name]),
            Way("need", shown_by),
            Way("action", names),
            Way("offer", offers),
            Way("presentation", shown),
        )
        steps = [*await read(self.means.store, ways, about=name), *map(bought, purchases)]
        return api.FeedbackTrace(
            feedback=item,
            actions=map(resources.action, linked),
            told=told is not None,
            steps=sorted(steps, key=lambda step: step.position),
            needs=shown_by,
            offers=offers,
            later_purchase_count=count,
            later_purchase_amounts=[to_message(minor, code) for code, minor in spent.items()],
            value=await self._change([who], item.receive_time),
        )

    async def TraceAction(self, request: api.TraceActionRequest, _: Any) -> api.ActionTrace:
        """See the contract."""
        name = parse(OneAction, request).name
        handled = await get(self.means.decider, ACTION, name)
        action = resources.action(handled)
        with self.means.views.read() as db:
            items = loops.traced(db, action.feedback)
            offers = lineage.offers_because_of(db, (name, *action.needs))
        ways = (Way("action", [name]), Way("offer", offers))
        return api.ActionTrace(
            action=action,
            feedback=map(_traced, items),
            needs=action.needs,
            offers=offers,
            steps=await read(self.means.store, ways),
            value=await self._change((item.customer for item in items), action.create_time),
        )

    async def TraceOffer(self, request: api.TraceOfferRequest, _: Any) -> api.OfferTrace:
        """See the contract."""
        name = parse(OneOffer, request).name
        with self.means.views.read() as db:
            counts = lineage.offer_counts(db, name)
            if counts is None:
                raise NotFound(name)
            sources = lineage.sources_of(db, name)
            asked = [source for source in sources if source.startswith("needs/")]
            actions = [source for source in sources if source.startswith("actions/")]
            behind = {source for source in sources if source.startswith("feedback/")}
            behind |= needs.evidence_of(db, asked)
            behind.update(*(loops.feedback_of(db, action) for action in actions))
            items = loops.traced(db, behind)
            accepted = lineage.accepted_by(db, name)
        launched = Timestamp()
        launched.FromMicroseconds(counts.launched or 0)
        return api.OfferTrace(
            offer=name,
            feedback=map(_traced, items[:ITEMS]),
            feedback_count=len(items),
            needs=asked,
            actions=actions,
            presented_count=counts.presented,
            accepted_count=counts.accepted,
            refused_count=counts.refused,
            steps=await read(self.means.store, [Way("offer", [name])]),
            value=await self._change(accepted, launched) if counts.launched else None,
        )

    async def _change(self, customers: Iterable[str], before: Timestamp) -> api.ValueChange | None:
        now = timestamp(self.means.clock())
        return await change(self.means.valuer, frozenset(customers), before, now)


def _traced(loop: Traced) -> api.TracedFeedback:
    answer = api.TracedFeedback(
        feedback=loop.feedback, customer=loop.customer, loop_state=_state(loop)
    )
    answer.receive_time.FromMicroseconds(loop.receive_time)
    if loop.closed is not None:
        answer.told_time.FromMicroseconds(loop.closed)
    return answer


def _state(loop: Traced) -> api.LoopState.ValueType:
    if loop.closed is None:
        protested = loop.answer == loops.PROTESTED
        return api.LOOP_STATE_PROTESTED if protested else api.LOOP_STATE_OPEN
    confirmed = loop.answer == loops.CONFIRMED
    return api.LOOP_STATE_CONFIRMED if confirmed else api.LOOP_STATE_TOLD
