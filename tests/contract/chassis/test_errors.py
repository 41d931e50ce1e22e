"""What a client is told of every error: a precise status, all details, and nothing more."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from equiloop.feedback.v1 import service_pb2 as api
from equiloop.metrics.v1.service_pb2 import WatchCustomerEquityResponse
from grpc import StatusCode

from libs.eventstore.port import (
    StoreCorrupt,
    StoreUnavailable,
    StreamTombstoned,
    TooLarge,
    WrongExpectedRevision,
)
from libs.kernel.refusals import (
    AlreadyExists,
    Contended,
    Invalid,
    NotFound,
    Refusal,
    Stale,
    Violation,
)
from tests.contract.chassis.serving import Answer, refused, serving

SECRET = "/srv/secret/events.db"


def raising(error: BaseException) -> Answer:
    async def answer(_: Any) -> api.Feedback:
        raise error

    return answer


def peer(code: StatusCode) -> grpc.aio.AioRpcError:
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(code, nothing, nothing, details=SECRET)


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (Invalid.field("score.value", "is 11"), StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"),
        (NotFound("feedback/7"), StatusCode.NOT_FOUND, "NOT_FOUND"),
        (AlreadyExists("TAKEN", "is taken"), StatusCode.ALREADY_EXISTS, "TAKEN"),
        (Stale("feedback-7", "1", "2"), StatusCode.ABORTED, "STALE_ETAG"),
        (Contended("feedback-7"), StatusCode.ABORTED, "CONTENDED"),
        (Refusal("NOTHING_TO_TELL", "no"), StatusCode.FAILED_PRECONDITION, "NOTHING_TO_TELL"),
        (StoreUnavailable(SECRET), StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE"),
        (StreamTombstoned(SECRET), StatusCode.NOT_FOUND, "NOT_FOUND"),
        (TooLarge("an event of 2 MiB"), StatusCode.INVALID_ARGUMENT, "TOO_LARGE"),
        (StoreCorrupt(SECRET), StatusCode.INTERNAL, "STORE_FAILED"),
        (WrongExpectedRevision(SECRET, 1, 2), StatusCode.INTERNAL, "STORE_FAILED"),
        (TimeoutError(SECRET), StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
        (RuntimeError(SECRET), StatusCode.INTERNAL, "INTERNAL"),
        (peer(StatusCode.UNAVAILABLE), StatusCode.UNAVAILABLE, "PEER_UNAVAILABLE"),
        (peer(StatusCode.RESOURCE_EXHAUSTED), StatusCode.UNAVAILABLE, "PEER_UNAVAILABLE"),
        (peer(StatusCode.DEADLINE_EXCEEDED), StatusCode.DEADLINE_EXCEEDED, "PEER_UNAVAILABLE"),
        (peer(StatusCode.PERMISSION_DENIED), StatusCode.INTERNAL, "PEER_FAILED"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_every_error_has_its_status(error: Exception, code: StatusCode, reason: str) -> None:
    """Each error reaches the client as its own code and reason, and says nothing of our insides."""
    async with serving(raising(error)) as it:
        answer = await refused(it.get())
    assert (answer.code, answer.info.reason) == (code, reason)
    assert answer.message
    assert SECRET not in str(answer)


async def test_a_retry_is_offered_only_where_it_is_safe() -> None:
    """UNAVAILABLE says when to come again; a refusal does not."""
    async with serving(raising(StoreUnavailable("away"))) as it:
        assert (await refused(it.get())).retry
    async with serving(raising(Refusal("NO", "no"))) as it:
        assert not (await refused(it.get())).retry


async def test_figures_travel_with_a_refusal() -> None:
    """The figures of a refusal are the ErrorInfo's metadata."""
    async with serving(raising(Stale("feedback-7", "1", "2"))) as it:
        answer = await refused(it.get())
    assert dict(answer.info.metadata) == {"resource": "feedback-7", "etag": "2"}


async def test_every_violation_is_named() -> None:
    """BadRequest names every field that is wrong, with its own description."""
    wrong = {"name": "is missing", "score.value": "is 11", "themes[3]": "is blank"}
    error = Invalid([Violation(field, why) for field, why in wrong.items()])
    async with serving(raising(error)) as it:
        assert (await refused(it.get())).fields == wrong


async def test_more_violations_than_a_client_can_take_are_counted() -> None:
    """A thousand violations still reach the client: the first ones, and how many more there are."""
    error = Invalid([Violation(f"feedback[{i}]", "must be a name, " * 4) for i in range(1000)])
    async with serving(raising(error)) as it:
        answer = await refused(it.get())
    *named, (field, rest) = answer.fields.items()
    assert [name for name, _ in named] == [f"feedback[{i}]" for i in range(len(named))]
    assert (field, rest) == ("request", f"and {1000 - len(named)} more")


@pytest.mark.parametrize("letter", ["x", "é", "語"])
async def test_what_a_client_sent_cannot_make_the_answer_too_long(letter: str) -> None:
    """A name of a hundred thousand letters is refused with a name cut short."""
    async with serving(raising(NotFound(letter * 100_000))) as it:
        answer = await refused(it.get())
    assert answer.code is StatusCode.NOT_FOUND
    assert len(answer.message.encode()) <= 500


async def test_an_internal_error_is_found_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The client gets an id only; under that id the log has the error."""
    with caplog.at_level(logging.ERROR, "libs.chassis.errors"):
        async with serving(raising(RuntimeError(SECRET))) as it:
            answer = await refused(it.get(metadata=(("x-request-id", "r-7"),)))
    assert answer.request_id == "r-7"
    assert "r-7" in caplog.text
    assert SECRET in caplog.text


async def test_a_call_without_an_id_is_given_one() -> None:
    """Two refused calls that brought no id have different ids."""
    async with serving(raising(NotFound("feedback/7"))) as it:
        ids = {(await refused(it.get())).request_id for _ in range(2)}
    assert len(ids) == 2
    assert all(ids)


async def test_a_method_that_nobody_wrote_is_unimplemented() -> None:
    """A method of the contract without code is UNIMPLEMENTED, not an internal error."""
    async with serving() as it:
        call = it.channel.unary_unary(
            "/equiloop.feedback.v1.FeedbackService/GetAction",
            request_serializer=api.GetActionRequest.SerializeToString,
            response_deserializer=api.Action.FromString,
        )
        assert (await refused(call(api.GetActionRequest()))).code is StatusCode.UNIMPLEMENTED


async def test_a_stream_is_refused_as_precisely() -> None:
    """An error after some replies ends the stream with the same details."""

    async def one_then_no(_: Any) -> AsyncIterator[WatchCustomerEquityResponse]:
        yield WatchCustomerEquityResponse()
        raise NotFound("customers/7")

    async with serving(replies=one_then_no) as it:
        call = it.watch()
        await call.read()
        answer = await refused(call.read())
    assert (answer.code, answer.info.metadata["resource"]) == (StatusCode.NOT_FOUND, "customers/7")
