"""Bad input at the gateway: a precise status, every wrong field by name, and nothing appended."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import grpc
import pytest
from equiloop.customers.v1 import service_pb2 as customers
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as feedback
from equiloop.metrics.v1 import events_pb2 as models
from equiloop.metrics.v1 import service_pb2 as metrics
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from google.type.money_pb2 import Money

from deploy.local.system import System
from libs.eventstore.connect import connect
from libs.kernel.values import timestamp
from tests.system.support import Stubs, failure, status_of, stubs

_KNOWN = str(uuid4())
_BOUGHT = timestamp(datetime(2024, 5, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def calls(system: System) -> Iterator[Stubs]:
    """Stubs on the gateway of a system that knows one customer and what she bought and said."""
    with stubs(system.gateway) as made:
        made.customers.RegisterCustomer(customers.RegisterCustomerRequest(customer_id="grace"))
        made.customers.ImportTransactions(
            customers.ImportTransactionsRequest(transactions=[_item()])
        )
        made.feedback.RecordFeedback(_words(request_id=_KNOWN))
        yield made


def _item(**changed: Any) -> customers.TransactionItem:
    usual = {
        "customer": "customers/grace",
        "amount": Money(currency_code="EUR", units=10),
        "purchase_time": _BOUGHT,
        "source": "till",
        "source_id": "1",
    }
    return customers.TransactionItem(**{**usual, **changed})


def _words(**changed: Any) -> feedback.RecordFeedbackRequest:
    usual = {
        "customer": "customers/grace",
        "channel": events.CHANNEL_EMAIL,
        "text": "It squeaks",
        "receive_time": _BOUGHT,
        "source": "mail",
        "source_id": "1",
    }
    return feedback.RecordFeedbackRequest(**{**usual, **changed})


async def _head(url: str) -> int:
    store = await connect(url)
    try:
        return await store.head()
    finally:
        await store.close()


@pytest.fixture
def nothing_appended(system: System, calls: Stubs) -> Iterator[None]:
    """Hold the log's head to where it was before the test."""
    before = asyncio.run(_head(system.settings.store_url))
    yield
    assert asyncio.run(_head(system.settings.store_url)) == before


def _detail(status: Status, kind: Message) -> Any:
    for packed in status.details:
        if packed.Unpack(kind):
            return kind
    pytest.fail(f"no {kind.DESCRIPTOR.name} in {status}")


def _refused(call: Callable[[], object]) -> tuple[grpc.StatusCode, str, set[str]]:
    """Answer code, reason and the fields named of a call that must fail."""
    error = failure(call)
    status = status_of(error)
    info: ErrorInfo = _detail(status, ErrorInfo())
    assert info.domain == "equiloop"
    fields = set()
    if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
        named: BadRequest = _detail(status, BadRequest())
        fields = {violation.field for violation in named.field_violations}
    return error.code(), info.reason, fields


def _of_item(calls: Stubs, item: customers.TransactionItem) -> tuple[int, str, set[str]]:
    """Answer code, reason and the fields named for the one item of an import."""
    answer = calls.customers.ImportTransactions(
        customers.ImportTransactionsRequest(transactions=[item])
    )
    assert (answer.created_count, answer.error_count) == (0, 1)
    status = answer.errors[0].status
    info: ErrorInfo = _detail(status, ErrorInfo())
    fields = set()
    if status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]:
        named: BadRequest = _detail(status, BadRequest())
        fields = {violation.field for violation in named.field_violations}
    return status.code, info.reason, fields


INVALID = grpc.StatusCode.INVALID_ARGUMENT
pytestmark = pytest.mark.usefixtures("nothing_appended")


def test_an_unknown_customer_is_not_found(calls: Stubs) -> None:
    """Words, purchases and questions about a customer that nobody registered are NOT_FOUND."""
    not_found = grpc.StatusCode.NOT_FOUND
    said = _refused(lambda: calls.feedback.RecordFeedback(_words(customer="customers/nobody")))
    assert said == (not_found, "NOT_FOUND", set())
    one = customers.GetCustomerRequest(name="customers/nobody")
    assert _refused(lambda: calls.customers.GetCustomer(one))[0] is not_found
    bought = _of_item(calls, _item(customer="customers/nobody", source_id="2"))
    assert bought[:2] == (not_found.value[0], "NOT_FOUND")


def test_a_negative_amount_and_an_unknown_currency_are_named(calls: Stubs) -> None:
    """Both are INVALID_ARGUMENT on the amount."""
    for amount in (Money(currency_code="EUR", units=-1), Money(currency_code="XXX", units=1)):
        code, _, fields = _of_item(calls, _item(amount=amount, source_id="2"))
        assert code == INVALID.value[0]
        assert {field.partition(".")[0] for field in fields} == {"amount"}


def test_every_wrong_field_is_named_at_once(calls: Stubs) -> None:
    """A request with five mistakes hears of all five."""
    request = feedback.RecordFeedbackRequest(
        customer="grace",
        channel=77,  # type: ignore[arg-type]
        language_code="?",
        score=events.Score(scale=events.SCORE_SCALE_NPS, value=11),
        request_id="not-a-uuid",
    )
    code, reason, fields = _refused(lambda: calls.feedback.RecordFeedback(request))
    assert (code, reason) == (INVALID, "INVALID_ARGUMENT")
    assert fields == {"customer", "channel", "language_code", "score.value", "request_id"}


def test_a_malformed_request_id_is_named(calls: Stubs) -> None:
    """A request_id that is no UUID is INVALID_ARGUMENT, for commands of every service."""
    bad: dict[str, Any] = {"request_id": "42"}
    commands = (
        lambda: calls.customers.RegisterCustomer(customers.RegisterCustomerRequest(**bad)),
        lambda: calls.feedback.RecordFeedback(_words(source_id="2", **bad)),
        lambda: calls.metrics.FitModel(
            metrics.FitModelRequest(kind=models.MODEL_KIND_PARETO_NBD, currency_code="EUR", **bad)
        ),
    )
    for command in commands:
        code, _, fields = _refused(command)
        assert (code, fields) == (INVALID, {"request_id"})


def test_a_wrong_etag_aborts(calls: Stubs) -> None:
    """An etag of another state is ABORTED; one that was never given out is INVALID_ARGUMENT."""
    label = customers.LabelCustomerRequest(name="customers/grace", cohort="x", etag="99")
    code, reason, _ = _refused(lambda: calls.customers.LabelCustomer(label))
    assert (code, reason) == (grpc.StatusCode.ABORTED, "STALE_ETAG")
    label.etag = "yesterday"
    assert _refused(lambda: calls.customers.LabelCustomer(label))[2] == {"etag"}


def test_an_oversized_batch_is_refused_whole(calls: Stubs) -> None:
    """1,001 items are INVALID_ARGUMENT on their field, and none of them is taken."""
    items = [_item(source_id=f"big-{number}") for number in range(1001)]
    request = customers.ImportTransactionsRequest(transactions=items)
    code, _, fields = _refused(lambda: calls.customers.ImportTransactions(request))
    assert (code, fields) == (INVALID, {"transactions"})


def test_a_source_id_with_other_content_already_exists(calls: Stubs) -> None:
    """The same (source, source_id) says the same or is ALREADY_EXISTS."""
    code, reason, _ = _refused(lambda: calls.feedback.RecordFeedback(_words(text="It sings")))
    assert (code, reason) == (grpc.StatusCode.ALREADY_EXISTS, "SOURCE_ID_REUSED")
    other = _item(amount=Money(currency_code="EUR", units=11))
    assert _of_item(calls, other)[0] == grpc.StatusCode.ALREADY_EXISTS.value[0]


def test_a_request_id_with_other_content_already_exists(calls: Stubs) -> None:
    """One request_id cannot stand for two requests."""
    other = _words(text="It sings", request_id=_KNOWN)
    code, reason, _ = _refused(lambda: calls.feedback.RecordFeedback(other))
    assert (code, reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


def test_an_as_of_before_the_first_event_is_named(calls: Stubs) -> None:
    """Asking for a value before anybody bought anything is INVALID_ARGUMENT on as_of."""
    policy = metrics.GetCustomerValueRequest(
        customer="customers/grace", as_of=timestamp(datetime(1970, 1, 2, tzinfo=UTC))
    )
    code, _, fields = _refused(lambda: calls.metrics.GetCustomerValue(policy))
    assert (code, fields) == (INVALID, {"as_of"})
