"""Native gRPC, gRPC-Web and REST through one port, by a real Envoy in front of small servers."""

import json
from functools import partial

import pytest
from equiloop.customers.v1 import service_pb2 as customers
from equiloop.feedback.v1 import service_pb2 as feedback
from equiloop.metrics.v1 import service_pb2 as metrics
from equiloop.offers.v1 import service_pb2 as offers

from tests.system import backend, grpc_web
from tests.system.front import RECORD, Front, says
from tests.system.support import details_of, failure, rest, status_of

# --- native gRPC ---


def test_native_metadata_passes_both_ways(front: Front) -> None:
    """A service sees the metadata of a native call, and the client its trailing metadata."""
    sent = {
        "authorization": "Bearer x",
        "equiloop-min-position": "41",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    reply, call = front.native.feedback.RecordFeedback.with_call(
        says("tell"), metadata=tuple(sent.items())
    )
    seen = json.loads(reply.text)["metadata"]
    assert {name: seen[name] for name in sent} == sent
    assert ("equiloop-position", "42") in tuple(call.trailing_metadata())


def test_native_error_details_survive(front: Front) -> None:
    """A native client gets a refusal exactly as the service gave it."""
    assert status_of(failure(lambda: front.record("refuse"))) == backend.refusal()


def test_a_deadline_is_passed_on_and_capped(front: Front) -> None:
    """A service sees the client's deadline, at most 60 s for a single call, and no invented one."""
    seen = [json.loads(front.record("tell", timeout=t).text)["seconds"] for t in (9, 900, None)]
    assert 5 < seen[0] < 10  # clients round up a little
    assert 55 < seen[1] < 61
    assert seen[2] is None


def test_streams_may_be_longer_than_a_message(front: Front) -> None:
    """A client stream passes although all of it is more than a single message may be."""
    batch = feedback.ImportFeedbackRequest(feedback=[says("x" * 1000)] * 1000)
    reply = front.native.feedback.ImportFeedbackStream(iter([batch] * 6))
    assert reply.created_count == 6000


def test_all_four_services_are_behind_one_address(front: Front) -> None:
    """Each of the four services is reached by its own path."""
    native = front.native
    assert native.customers.GetCustomer(customers.GetCustomerRequest(name="customers/a")).name
    assert native.offers.GetOffer(offers.GetOfferRequest(name="offers/a")).name
    assert front.record("hello").name
    replies = native.metrics.WatchCustomerEquity(metrics.WatchCustomerEquityRequest())
    assert [reply.position for reply in replies] == [1, 2, 3]


def test_a_query_is_asked_again(front: Front) -> None:
    """A query that meets a busy service is repeated until it is answered."""
    request = feedback.GetFeedbackRequest(name="feedback/native")
    assert front.native.feedback.GetFeedback(request).name == request.name


def test_a_command_is_sent_once(front: Front) -> None:
    """A command that meets a busy service is not repeated, whatever a client bids Envoy do."""
    bidding = (("x-envoy-retry-grpc-on", "unavailable"), ("x-envoy-max-retries", "3"))
    messages = [
        details_of(failure(partial(front.record, "be busy", metadata=metadata)))
        for metadata in ((), bidding, ())
    ]
    assert messages == [f"busy for the {n}. time" for n in (1, 2, 3)]


# --- gRPC-Web ---


@pytest.mark.parametrize("text", [False, True], ids=["binary", "text"])
def test_grpc_web_unary(front: Front, *, text: bool) -> None:
    """A browser gets the message, the trailing metadata, and leave to read them."""
    answer = front.web("hello", text=text)
    assert [message.text for message in answer.messages] == ["hello"]
    assert answer.trailers["equiloop-position"] == "42"
    assert answer.headers["access-control-allow-origin"] == grpc_web.ORIGIN
    assert set(answer.headers["access-control-expose-headers"].split(", ")) == {
        "equiloop-position",
        "grpc-message",
        "grpc-status",
        "grpc-status-details-bin",
    }


def test_grpc_web_error_details_survive(front: Front) -> None:
    """A browser gets a refusal exactly as the service gave it."""
    with pytest.raises(grpc_web.GrpcWebError) as caught:
        front.web("refuse")
    assert caught.value.status == backend.refusal()


def test_grpc_web_server_stream(front: Front) -> None:
    """A browser can watch."""
    answer = grpc_web.call(
        front.address,
        "equiloop.metrics.v1.MetricsService/WatchCustomerEquity",
        metrics.WatchCustomerEquityRequest(),
        metrics.WatchCustomerEquityResponse,
    )
    assert [message.position for message in answer.messages] == [1, 2, 3]


def test_grpc_web_metadata_passes(front: Front) -> None:
    """A service sees the metadata of a browser's call, its deadline among it."""
    sent = {"equiloop-min-position": "41", "traceparent": "00-1", "grpc-timeout": "9S"}
    seen = json.loads(front.web("tell", metadata=sent).messages[0].text)
    assert seen["metadata"]["equiloop-min-position"] == "41"
    assert seen["metadata"]["traceparent"] == "00-1"
    assert 5 < seen["seconds"] < 10


# --- CORS ---


@pytest.mark.parametrize(("path", "method"), [(f"/{RECORD}", "POST"), ("/v1/customers/a", "PATCH")])
def test_a_page_may_ask_first(front: Front, path: str, method: str) -> None:
    """A preflight is answered for gRPC-Web and for REST, with every header that a client needs."""
    headers = {"origin": grpc_web.ORIGIN, "access-control-request-method": method}
    answer = rest(front.address, "OPTIONS", path, headers=headers)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == grpc_web.ORIGIN
    assert method in answer.headers["access-control-allow-methods"].split(", ")
    allowed = set(answer.headers["access-control-allow-headers"].split(", "))
    assert allowed >= {
        "authorization",
        "content-type",
        "equiloop-min-position",
        "grpc-timeout",
        "traceparent",
        "x-grpc-web",
        "x-user-agent",
    }


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:3000.evil.example"])
def test_other_pages_may_not_call(front: Front, origin: str) -> None:
    """A page from elsewhere is given no leave to call."""
    headers = {"origin": origin, "access-control-request-method": "POST"}
    answer = rest(front.address, "OPTIONS", f"/{RECORD}", headers=headers)
    assert "access-control-allow-origin" not in answer.headers


# --- REST ---


def test_rest_shows_the_position(front: Front) -> None:
    """A REST client finds the log position, elsewhere a trailer, in a header."""
    answer = front.rest("hello")
    assert answer.status == 200
    assert answer.headers["equiloop-position"] == "42"
    assert answer.json["name"] == "feedback/1"


def test_rest_position_and_large_answers(front: Front) -> None:
    """An answer as large as a message may be still comes with its position."""
    text = "x" * ((4 << 20) - 100)
    answer = front.rest(text)
    assert answer.json["text"] == text
    assert answer.headers["equiloop-position"] == "42"


def test_rest_error_details_survive(front: Front) -> None:
    """A REST client gets a refusal with its details, in JSON."""
    answer = front.rest("refuse")
    assert answer.status == 400
    assert answer.json["code"] == 3
    info, violations = answer.json["details"]
    assert (info["reason"], info["domain"]) == ("INVALID", "equiloop")
    assert violations["fieldViolations"][0]["field"] == "text"


def test_rest_metadata_passes(front: Front) -> None:
    """A service sees the headers of a REST call as metadata."""
    sent = {"equiloop-min-position": "41", "traceparent": "00-1", "authorization": "Bearer x"}
    seen = json.loads(front.rest("tell", **sent).json["text"])["metadata"]
    assert {name: seen[name] for name in sent} == sent


def test_rest_query_is_asked_again(front: Front) -> None:
    """The rules for queries hold over REST too."""
    assert rest(front.address, "GET", "/v1/feedback/rest").json["name"] == "feedback/rest"


def test_rest_stream_is_a_line_a_message(front: Front) -> None:
    """A server stream comes over REST as one line of JSON for each message."""
    answer = rest(front.address, "GET", "/v1/customerEquity:watch")
    assert [json.loads(line)["position"] for line in answer.text.splitlines()] == ["1", "2", "3"]
