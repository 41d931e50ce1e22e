"""Real gRPC servers on the contract's methods that do as they are told, to put behind the gateway.

`python -m tests.system.backend CUSTOMERS FEEDBACK OFFERS METRICS`, each a port. What RecordFeedback
does is the text of the feedback: see `record`.
"""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import grpc
from equiloop.customers.v1 import service_pb2 as customers
from equiloop.feedback.v1 import service_pb2 as feedback
from equiloop.metrics.v1 import service_pb2 as metrics
from equiloop.offers.v1 import service_pb2 as offers
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health, health_pb2_grpc
from grpc_status import rpc_status

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
calls: Counter[str] = Counter()


def record(request: feedback.RecordFeedbackRequest, context: grpc.ServicerContext) -> Message:
    """Do what the text says, and answer with it; `tell` answers what the service saw."""
    calls[request.text] += 1
    context.set_trailing_metadata((("equiloop-position", "42"),))
    match request.text:
        case "tell":
            seconds = context.time_remaining()  # for ever is a huge number here
            seen = {
                "metadata": dict(context.invocation_metadata()),
                "seconds": seconds if seconds and seconds < 1e6 else None,
            }
            return feedback.Feedback(name="feedback/1", text=json.dumps(seen))
        case "refuse":
            context.abort_with_status(rpc_status.to_status(refusal()))
        case "be busy":
            context.abort(grpc.StatusCode.UNAVAILABLE, f"busy for the {calls[request.text]}. time")
        case "sleep":
            time.sleep(5)
        case "fall over":
            os._exit(1)
    return feedback.Feedback(name="feedback/1", text=request.text)


def get(request: feedback.GetFeedbackRequest, context: grpc.ServicerContext) -> Message:
    """Answer at the third time of asking."""
    calls[request.name] += 1
    if calls[request.name] % 3:
        context.abort(grpc.StatusCode.UNAVAILABLE, "ask again")
    return feedback.Feedback(name=request.name)


def take(batches: Iterator[feedback.ImportFeedbackRequest], _: grpc.ServicerContext) -> Message:
    """Count what comes in."""
    count = sum(len(batch.feedback) for batch in batches)
    return feedback.ImportFeedbackResponse(created_count=count)


def watch(_: Message, __: grpc.ServicerContext) -> Iterator[Message]:
    """Answer three times, in an instant."""
    for position in (1, 2, 3):
        yield metrics.WatchCustomerEquityResponse(position=position)


def refusal() -> Status:
    """What a refused call is told."""
    status = Status(code=3, message="text: says refuse")
    for detail in (
        ErrorInfo(reason="INVALID", domain="equiloop"),
        BadRequest(field_violations=[BadRequest.FieldViolation(field="text", description="no")]),
    ):
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def unary(request: type[Message], behaviour: Callable[[Any, Any], Message]) -> Handler:
    """Answer the handler of a method with one request and one reply."""
    return grpc.unary_unary_rpc_method_handler(
        behaviour, request.FromString, lambda reply: reply.SerializeToString()
    )


METHODS: dict[str, dict[str, Handler]] = {
    "equiloop.customers.v1.CustomerService": {
        "GetCustomer": unary(
            customers.GetCustomerRequest, lambda request, _: customers.Customer(name=request.name)
        )
    },
    "equiloop.feedback.v1.FeedbackService": {
        "RecordFeedback": unary(feedback.RecordFeedbackRequest, record),
        "GetFeedback": unary(feedback.GetFeedbackRequest, get),
        "ImportFeedbackStream": grpc.stream_unary_rpc_method_handler(
            take,
            feedback.ImportFeedbackRequest.FromString,
            lambda reply: reply.SerializeToString(),
        ),
    },
    "equiloop.offers.v1.OfferService": {
        "GetOffer": unary(
            offers.GetOfferRequest, lambda request, _: offers.Offer(name=request.name)
        )
    },
    "equiloop.metrics.v1.MetricsService": {
        "WatchCustomerEquity": grpc.unary_stream_rpc_method_handler(
            watch,
            metrics.WatchCustomerEquityRequest.FromString,
            lambda reply: reply.SerializeToString(),
        )
    },
}


def main() -> None:
    """Serve until killed."""
    servers = []
    for (service, handlers), port in zip(METHODS.items(), sys.argv[1:], strict=True):
        server = grpc.server(ThreadPoolExecutor(4), options=(("grpc.so_reuseport", 0),))
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
        server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        servers.append(server)
    for server in servers:
        server.wait_for_termination()


if __name__ == "__main__":
    main()
