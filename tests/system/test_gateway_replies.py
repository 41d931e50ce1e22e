"""What the gateway says when it answers itself, in all three protocols."""

import time

import grpc
import pytest
from equiloop.feedback.v1 import service_pb2 as feedback

from gateway.replies import REPLIES
from tests.system import grpc_web
from tests.system.front import Front, says, until
from tests.system.support import code_of, failure, reason_of, rest, status_of

OVERSIZED = "x" * (4 << 20)


UNKNOWN = (404, 5, "UNKNOWN_METHOD")
MALFORMED = (400, 3, "MALFORMED_REQUEST")


@pytest.mark.parametrize(
    ("request_line", "body", "expected"),
    [
        ("GET /v1/nothing", None, UNKNOWN),
        ("DELETE /v1/feedback", None, UNKNOWN),
        ("POST /v1/feedback", '{"text": ', MALFORMED),
        ("POST /v1/feedback", '{"text": 1}', MALFORMED),
        ("GET /v1/feedback/a?colour=red", None, MALFORMED),
    ],
    ids=["unknown path", "unknown verb", "no JSON", "wrong type", "unknown parameter"],
)
def test_rest_says_what_is_wrong(
    front: Front, request_line: str, body: str | None, expected: tuple[int, int, str]
) -> None:
    """What the gateway refuses itself, it refuses as a service would: a Status in JSON."""
    method, path = request_line.split()
    answer = rest(front.address, method, path, body)
    (info,) = answer.json["details"]
    assert (answer.status, answer.json["code"], info["reason"]) == expected
    assert info["domain"] == "equiloop"
    assert answer.json["message"]


def test_rest_headers_are_bounded(front: Front) -> None:
    """Headers beyond the bound are refused."""
    answer = front.rest("hello", **{"x-long": "x" * 40_000})
    assert (answer.status, answer.json["code"]) == (431, 8)


def test_oversized_messages(front: Front) -> None:
    """A message over 4 MiB is RESOURCE_EXHAUSTED in all three protocols."""
    native = failure(lambda: front.record(OVERSIZED))
    assert code_of(native) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert reason_of(status_of(native)) == "MESSAGE_TOO_LARGE"
    with pytest.raises(grpc_web.GrpcWebError) as caught:
        front.web(OVERSIZED)
    assert (caught.value.code, reason_of(caught.value.status)) == (8, "MESSAGE_TOO_LARGE")
    answer = front.rest(OVERSIZED)
    assert (answer.status, answer.json["code"]) == (413, 8)
    assert answer.json["details"][0]["reason"] == "MESSAGE_TOO_LARGE"


def test_unknown_methods(front: Front) -> None:
    """A method that no service has is UNIMPLEMENTED to gRPC clients."""
    nowhere = front.native.channel.unary_unary(
        "/equiloop.nowhere.v1.Nowhere/Go",
        request_serializer=feedback.RecordFeedbackRequest.SerializeToString,
        response_deserializer=feedback.Feedback.FromString,
    )
    error = failure(lambda: nowhere(says("")))
    assert code_of(error) is grpc.StatusCode.UNIMPLEMENTED
    assert reason_of(status_of(error)) == "UNKNOWN_METHOD"
    with pytest.raises(grpc_web.GrpcWebError) as caught:
        grpc_web.call(front.address, "equiloop.nowhere.v1.Nowhere/Go", says(""), feedback.Feedback)
    assert (caught.value.code, reason_of(caught.value.status)) == (12, "UNKNOWN_METHOD")


def test_deadlines_are_kept(front: Front) -> None:
    """A call that is not answered in time is DEADLINE_EXCEEDED in all three protocols."""
    native = failure(lambda: front.record("sleep", timeout=0.3))
    assert code_of(native) is grpc.StatusCode.DEADLINE_EXCEEDED
    with pytest.raises(grpc_web.GrpcWebError) as caught:
        front.web("sleep", metadata={"grpc-timeout": "300m"})
    assert caught.value.code == 4
    answer = front.rest("sleep", **{"grpc-timeout": "300m"})
    assert (answer.status, answer.json["code"]) == (504, 4)


def test_a_service_that_falls_over(front: Front) -> None:
    """Clients learn whether a call may have been done; when the service is back, so are they."""
    lost = failure(lambda: front.record("fall over"))
    assert code_of(lost) is grpc.StatusCode.UNAVAILABLE
    assert reason_of(status_of(lost)) == "CONNECTION_LOST"
    front.backend.wait(time.monotonic() + 5)
    try:
        away = failure(lambda: front.record("hello"))
        assert code_of(away) is grpc.StatusCode.UNAVAILABLE
        assert reason_of(status_of(away)) == "SERVICE_UNAVAILABLE"
        with pytest.raises(grpc_web.GrpcWebError) as caught:
            front.web("hello")
        assert (caught.value.code, reason_of(caught.value.status)) == (14, "SERVICE_UNAVAILABLE")
        answer = front.rest("hello")
        assert (answer.status, answer.json["code"]) == (503, 14)
        assert answer.json["details"][0]["reason"] == "SERVICE_UNAVAILABLE"
    finally:
        front.backend.start({})
    until(lambda: front.rest("hello").status == 200)


def test_healthz(front: Front) -> None:
    """The gateway answers for itself at /healthz."""
    assert rest(front.address, "GET", "/healthz").status == 200


def test_every_reply_has_one_meaning() -> None:
    """No case of the gateway's own replies is hidden behind an earlier one."""
    seen: set[tuple[int, tuple[str, ...]]] = set()
    for reply in REPLIES:
        assert (reply.http, ()) not in seen, f"{reply} is never reached"
        seen.add((reply.http, reply.flags))
