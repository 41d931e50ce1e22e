"""Feedback that is coded goes by the rules, if nobody has routed it."""

from functools import partial
from uuid import uuid5

from equiloop.feedback.v1 import events_pb2 as events
from google.protobuf.message import Message

from libs.contract.metadata import Metadata
from libs.decider import Decider, Request
from libs.kernel.values import id_of
from libs.projection import Fact
from services.feedback.domain import route, rules
from services.feedback.service.means import ROUTE, RULES


class RoutingByRules:
    """FeedbackCoded → RouteFeedback, by the rules that held when it was coded."""

    handles: frozenset[type[Message]] = frozenset({events.FeedbackCoded})

    def __init__(self, decider: Decider) -> None:
        """Read rules and route by ``decider``."""
        self._decider = decider

    async def react(self, fact: Fact) -> None:
        """Route what was coded, once for each coding; a reaction repeated changes nothing."""
        coded = fact.event
        assert isinstance(coded, events.FeedbackCoded)
        known = await self._decider.load(RULES, id_of(rules.NAME))
        if known is None:
            return
        theme, function = known.state.function(coded.themes, coded.event_time)
        if not function:
            return
        command = route.RouteByRules(
            name=coded.feedback, function=function, reason=f"it is about {theme}"
        )
        beside = Metadata.load(fact.recorded.metadata)
        cause = Request(
            uuid5(fact.recorded.id, "RouteFeedback"),
            correlation_id=beside.correlation_id if beside else "",
            causation_id=str(fact.recorded.id),
            traceparent=beside.traceparent if beside else "",
            actor=route.RULES,
        )
        key = id_of(coded.feedback)
        await self._decider.handle(ROUTE, key, partial(route.decide, command), cause)
