"""The gRPC edge of feedback: message → command → decide → append → reply; a part a module."""

from functools import partial

from equiloop.feedback.v1.service_pb2_grpc import (
    FeedbackServiceServicer,
    add_FeedbackServiceServicer_to_server,
)

from libs.chassis.server import Register
from services.feedback.service.funnel import Funnel
from services.feedback.service.intake import Intake
from services.feedback.service.loop import Loop
from services.feedback.service.means import Means


class FeedbackService(Intake, Loop, Funnel, FeedbackServiceServicer):
    """Answers calls; what it knows it asks of the log and of its views."""


def services(means: Means) -> list[Register]:
    """Answer all services of this context, ready to be registered with a server."""
    return [partial(add_FeedbackServiceServicer_to_server, FeedbackService(means))]  # type: ignore[abstract] # until every method is there
