"""The metrics service as callers meet it: not ready, decided, watched, killed and started again."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from equiloop.metrics.v1 import service_pb2 as api
from google.type.money_pb2 import Money

from libs.kernel.money import to_minor
from libs.kernel.values import timestamp
from tests.specs.given import NOW
from tests.specs.metrics.facts import (
    DAY_ONE,
    PARETO,
    SPEND,
    assigned,
    bought,
    decided,
    fitted,
    on,
    refunded,
    registered,
)
from tests.system.metrics_process import Metrics, policy_request, running
from tests.system.services.processes import Refused, position, refused

NOT_FOUND = grpc.StatusCode.NOT_FOUND
INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION

AS_OF = timestamp(NOW)
READY = (decided(), fitted(PARETO, "p"), fitted(SPEND, "s"))
HISTORY = (
    registered("1", "vip", "web", cohort="x"),
    registered("2", "web", cohort="y"),
    assigned("1", "maria"),
    *(bought(f"t{day}", "1", 2500 + day, on(day)) for day in range(0, 40, 4)),
    bought("u", "2", 900, on(3)),
    bought("e", "2", 900, on(5), "EUR"),
    refunded("t4", "1", 500, on(50)),
    *READY,
)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Metrics]:
    """The service on an empty log."""
    with running(tmp_path) as started:
        yield started


def get_policy(fresh: Metrics) -> api.EquityPolicy:
    return fresh.metrics.GetEquityPolicy(api.GetEquityPolicyRequest())


def ask_all(fresh: Metrics, seen: Any) -> dict[str, Refused]:
    """Ask every question of worth, and answer how each is refused."""
    stub = fresh.metrics
    watch = api.WatchCustomerEquityRequest()
    one = api.GetCustomerValueRequest(customer="customers/1")
    asked: dict[str, Callable[..., Any]] = {
        "equity": partial(stub.GetCustomerEquity, api.GetCustomerEquityRequest()),
        "value": partial(stub.GetCustomerValue, one),
        "values": partial(
            stub.GetCustomerValues, api.GetCustomerValuesRequest(customers=["customers/1"])
        ),
        "watch": lambda metadata: next(iter(stub.WatchCustomerEquity(watch, metadata=metadata))),
    }
    return {name: refused(partial(ask, metadata=seen)) for name, ask in asked.items()}


def test_what_is_missing_is_named_until_it_is_there(fresh: Metrics) -> None:
    """First the policy, then the models: each question says what it waits for."""
    assert refused(lambda: get_policy(fresh)).code == NOT_FOUND
    assert not fresh.metrics.ListModels(api.ListModelsRequest()).models
    seen = fresh.record([bought("t", "1", 100, on(0))])
    for how in ask_all(fresh, seen).values():
        assert (how.code, how.reason) == (PRECONDITION, "EQUITY_POLICY_NOT_SET")
    _, call = fresh.metrics.SetEquityPolicy.with_call(policy_request())
    for how in ask_all(fresh, position(call)).values():
        assert (how.code, how.reason) == (PRECONDITION, "MODEL_NOT_FITTED")
        assert how.figures == {
            "kinds": "MODEL_KIND_PARETO_NBD, MODEL_KIND_GAMMA_GAMMA",
            "currency_code": "USD",
        }
    seen = fresh.record(READY)
    request = api.GetCustomerEquityRequest()
    answer = fresh.metrics.GetCustomerEquity(request, metadata=seen)
    assert answer.total.total.customer_count == 1


def test_the_policy_is_decided_once_and_anew(fresh: Metrics) -> None:
    """Its etag is its revision; the same again changes nothing, a stale etag is refused."""
    one, two = str(uuid4()), str(uuid4())
    first = fresh.metrics.SetEquityPolicy(policy_request(request_id=one))
    assert (first.margin, first.annual_discount_rate) == (0.30, 0.15)
    assert (first.currency_code, to_minor(first.spend_limit), first.etag) == ("USD", 420000, "0")
    assert get_policy(fresh) == first
    assert fresh.metrics.SetEquityPolicy(policy_request()) == first
    change = policy_request(margin=0.25, etag="0", request_id=two)
    second = fresh.metrics.SetEquityPolicy(change)
    assert (second.margin, second.etag) == (0.25, "1")
    assert get_policy(fresh) == second
    stale = refused(partial(fresh.metrics.SetEquityPolicy, policy_request(margin=0.2, etag="0")))
    assert (stale.code, stale.reason) == (grpc.StatusCode.ABORTED, "STALE_ETAG")
    assert fresh.metrics.SetEquityPolicy(policy_request(request_id=one)) == first
    assert fresh.metrics.SetEquityPolicy(change) == second
    other = refused(partial(fresh.metrics.SetEquityPolicy, policy_request(request_id=two)))
    assert (other.code, other.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    wrong = policy_request(
        margin=1.5,
        annual_discount_rate=-1,
        currency_code="ABC",
        spend_limit=Money(currency_code="ABC", units=1),
        etag="x",
        request_id="7",
    )
    how = refused(partial(fresh.metrics.SetEquityPolicy, wrong))
    assert how.code == INVALID
    assert {field.partition(".")[0] for field in how.fields} == {
        "margin",
        "annual_discount_rate",
        "currency_code",
        "spend_limit",
        "etag",
        "request_id",
    }
    assert get_policy(fresh) == second


def test_a_watch_sees_every_change_and_is_taken_up_where_it_ended(fresh: Metrics) -> None:
    """A purchase changes the figures; a second watch begins after what the first has seen."""
    fresh.record(HISTORY)
    stub = fresh.metrics
    watch = stub.WatchCustomerEquity(api.WatchCustomerEquityRequest(as_of=AS_OF))
    answers = iter(watch)
    first = next(answers)
    fresh.record([bought("more", "1", 2500, on(45))])
    second = next(answers)
    watch.cancel()
    assert second.position > first.position
    assert to_minor(second.equity.total.total.equity) != to_minor(first.equity.total.total.equity)
    later = stub.WatchCustomerEquity(
        api.WatchCustomerEquityRequest(as_of=AS_OF, after_position=second.position)
    )
    fresh.record([bought("last", "3", 2500, on(46))])
    third = next(iter(later))
    assert third.position > second.position
    assert third.equity.total.total.customer_count == 3
    fresh.stop("metrics")
    assert list(later) == []  # it ended without an error: whoever watches comes again
    wrong = api.WatchCustomerEquityRequest(after_position=-1)
    fresh.start("metrics")
    how = refused(lambda: next(iter(stub.WatchCustomerEquity(wrong))))
    assert (how.code, {*how.fields}) == (INVALID, {"after_position"})


def everything(fresh: Metrics, seen: Any) -> list[Any]:
    """Ask for all that there is."""
    stub = fresh.metrics
    asked = [
        api.GetCustomerEquityRequest(as_of=AS_OF, group_by=grouping)
        for grouping in api.EquityGrouping.values()
    ]
    return [
        *(stub.GetCustomerEquity(request, metadata=seen) for request in asked),
        stub.GetCustomerValues(
            api.GetCustomerValuesRequest(customers=["customers/1", "customers/2"], as_of=AS_OF)
        ),
        stub.ListModels(api.ListModelsRequest()),
        get_policy(fresh),
    ]


@pytest.mark.parametrize("views", ["kept", "lost"])
def test_killed_and_started_again_it_says_the_same(fresh: Metrics, views: str) -> None:
    """The same history gives the same cents, from the views as they were or built anew."""
    seen = fresh.record(HISTORY)
    before = everything(fresh, seen)
    fresh.kill("metrics")
    if views == "lost":
        shutil.rmtree(fresh.settings.data / "metrics")
    fresh.start("metrics")
    assert everything(fresh, seen) == before
    seen = fresh.record([bought("after", "2", 5000, DAY_ONE)])
    assert everything(fresh, seen)[0] != before[0]
