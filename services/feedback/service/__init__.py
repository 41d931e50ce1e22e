"""The gRPC edge of feedback: message → command → decide → append → reply; a part a module."""

from functools import partial

from equiloop.feedback.v1.community_service_pb2_grpc import (
    CommunityServiceServicer,
    add_CommunityServiceServicer_to_server,
)
from equiloop.feedback.v1.conversation_service_pb2_grpc import (
    ConversationServiceServicer,
    add_ConversationServiceServicer_to_server,
)
from equiloop.feedback.v1.market_service_pb2_grpc import (
    MarketServiceServicer,
    add_MarketServiceServicer_to_server,
)
from equiloop.feedback.v1.routing_service_pb2_grpc import (
    RoutingServiceServicer,
    add_RoutingServiceServicer_to_server,
)
from equiloop.feedback.v1.service_pb2_grpc import (
    FeedbackServiceServicer,
    add_FeedbackServiceServicer_to_server,
)

from libs.chassis.server import Register
from services.feedback.service.coding import Coding
from services.feedback.service.community import Community
from services.feedback.service.deadlines import Deadlines
from services.feedback.service.decisions import Decisions
from services.feedback.service.dialogue import Dialogue
from services.feedback.service.digests import MarketDigests
from services.feedback.service.funnel import Funnel
from services.feedback.service.insight import Insight
from services.feedback.service.intake import Intake
from services.feedback.service.lineage import Lineage
from services.feedback.service.loop import Loop
from services.feedback.service.means import Means
from services.feedback.service.needs import Needs
from services.feedback.service.priorities import Priorities
from services.feedback.service.promises import Promises
from services.feedback.service.registers import Registers
from services.feedback.service.routes import Routes
from services.feedback.service.talk import Talk
from services.feedback.service.waiting import OpenLoops


class FeedbackService(
    Intake,
    Coding,
    Insight,
    Promises,
    Loop,
    Registers,
    Funnel,
    OpenLoops,
    Lineage,
    FeedbackServiceServicer,
):
    """Answers calls; what it knows it asks of the log and of its views."""


class MarketService(Needs, Priorities, MarketDigests, Decisions, MarketServiceServicer):
    """What the market wants, who has heard it, and what it changed."""


class ConversationService(Talk, Dialogue, ConversationServiceServicer):
    """Carries what customers and we say to each other."""


class CommunityService(Community, CommunityServiceServicer):
    """Lets needs meet answers among members."""


class RoutingService(Routes, Deadlines, RoutingServiceServicer):
    """Brings feedback to the right person, in time."""


def services(means: Means) -> list[Register]:
    """Answer all services of this context, ready to be registered with a server."""
    feedback = FeedbackService(means)
    market = MarketService(means)
    return [
        partial(add_FeedbackServiceServicer_to_server, feedback),
        partial(add_MarketServiceServicer_to_server, market),
        partial(add_ConversationServiceServicer_to_server, ConversationService(means)),
        partial(add_CommunityServiceServicer_to_server, CommunityService(means)),
        partial(add_RoutingServiceServicer_to_server, RoutingService(means)),
    ]
