"""The main figure end to end: CDNOW's purchases in, published customer equity out, over gRPC."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import grpc
import pytest
from equiloop.metrics.v1 import events_pb2 as events
from equiloop.metrics.v1 import service_pb2 as api

from deploy.demo import cdnow
from libs.kernel.money import to_minor
from libs.kernel.values import timestamp
from tests.system.metrics_process import (
    LAST_DAY,
    LIMIT,
    Metrics,
    cdnow_history,
    fit_request,
    policy_request,
    running,
)
from tests.system.services.processes import Refused, refused

PARETO, BG_NBD, SPEND = (
    events.MODEL_KIND_PARETO_NBD,
    events.MODEL_KIND_BG_NBD,
    events.MODEL_KIND_GAMMA_GAMMA,
)
WEEK_39 = timestamp(datetime(1997, 9, 30, tzinfo=UTC))
PUBLISHED = {
    PARETO: ({"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}, -9594.976, 2357),
    BG_NBD: ({"r": 0.2426, "alpha": 4.4137, "a": 0.7930, "b": 2.4262}, -9582.429, 2357),
    SPEND: ({"p": 6.25, "q": 3.74, "gamma": 15.44}, None, 946),
}
"""Fits on the sample after 39 weeks: parameters, log-likelihood, customers."""
INVALID = grpc.StatusCode.INVALID_ARGUMENT
ONCE = str(uuid4())
"""The request id of the last fit."""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Metrics]:
    """The service with all of CDNOW, all models after 39 weeks, and two after all 78."""
    with running(tmp_path_factory.mktemp("cdnow")) as started:
        seen = started.record(cdnow_history())
        for kind in PUBLISHED:
            started.metrics.FitModel(fit_request(kind, WEEK_39), metadata=seen)
        started.metrics.FitModel(fit_request(PARETO))
        started.metrics.FitModel(fit_request(SPEND, request_id=ONCE))
        _, call = started.metrics.SetEquityPolicy.with_call(policy_request())
        position = dict(call.trailing_metadata())["equiloop-position"]
        started.metrics.GetCustomerEquity(
            api.GetCustomerEquityRequest(), metadata=(("equiloop-min-position", position),)
        )
        yield started


def equity(loaded: Metrics, **fields: Any) -> api.CustomerEquity:
    return loaded.metrics.GetCustomerEquity(
        api.GetCustomerEquityRequest(**{"as_of": LAST_DAY, **fields})
    )


def models(loaded: Metrics, **fields: Any) -> api.ListModelsResponse:
    return loaded.metrics.ListModels(api.ListModelsRequest(**fields))


def test_the_published_equity_comes_out(loaded: Metrics) -> None:
    """Fader, Hardie & Lee (2005): 23,560 customers, 12,054 of them once, about $1.1 million."""
    answer = equity(loaded)
    total, once = answer.total.total, answer.total.without_repeat
    assert (total.customer_count, once.customer_count) == (23_560, 12_054)
    assert to_minor(total.equity) == pytest.approx(1_100_623_00, rel=0.005)
    assert to_minor(total.mean_clv) == pytest.approx(46_72, rel=0.005)
    assert to_minor(once.equity) == pytest.approx(53_000_00, rel=0.005)
    assert to_minor(once.mean_clv) == pytest.approx(4_40, abs=1)
    assert answer.left_out_customer_count == 10
    assert answer.left_out_purchase_count == 0
    assert answer.policy.spend_limit == LIMIT
    assert answer.as_of == LAST_DAY


@pytest.mark.parametrize("kind", PUBLISHED)
def test_published_fits_come_out(loaded: Metrics, kind: events.ModelKind.ValueType) -> None:
    """The first 39 weeks of the sample give the parameters of the literature."""
    parameters, log_likelihood, count = PUBLISHED[kind]
    model = models(loaded, kind=kind).models[-1]
    assert {p.name: p.value for p in model.parameters} == pytest.approx(parameters, abs=1e-2)
    assert model.customer_count == count
    if log_likelihood is not None:
        assert model.log_likelihood == pytest.approx(log_likelihood, abs=1e-2)
    assert model.selection == events.FitSelection(
        cohort="sample", as_of=WEEK_39, currency_code="USD"
    )


def test_equity_names_what_it_rests_on(loaded: Metrics) -> None:
    """The models are the latest of their kinds, the policy the present one, with its etag."""
    answer = equity(loaded)
    assert answer.purchase_model == models(loaded, kind=PARETO).models[0].name
    assert answer.spend_model == models(loaded, kind=SPEND).models[0].name
    assert answer.policy == loaded.metrics.GetEquityPolicy(api.GetEquityPolicyRequest())
    assert answer.position > models(loaded).models[0].fitted_on_position > 0


def test_a_cohort_is_a_group_and_a_filter(loaded: Metrics) -> None:
    """The sample is worth the same either way, and all others are in the group without a name."""
    grouped = equity(loaded, group_by=api.EQUITY_GROUPING_COHORT)
    assert [group.key for group in grouped.groups] == ["", "sample"]
    assert sum(group.total.customer_count for group in grouped.groups) == 23_560
    narrowed = equity(loaded, cohort="sample")
    assert narrowed.total.total == grouped.groups[1].total
    assert narrowed.left_out_customer_count <= 10


def test_a_single_value_is_one_of_many(loaded: Metrics) -> None:
    """10,000 customers come in one call, as they come alone; the ten biggest have a value, too."""
    names = [f"customers/{number:05d}" for number in range(10_000, 0, -1)]
    answer = loaded.metrics.GetCustomerValues(
        api.GetCustomerValuesRequest(customers=names, as_of=LAST_DAY)
    )
    assert [value.customer for value in answer.values] == names
    assert not answer.customers_without_purchase
    biggest = next(value for value in answer.values if value.customer == "customers/07592")
    assert to_minor(biggest.total_spend) == 13_990_93
    request = api.GetCustomerValueRequest(customer=biggest.customer, as_of=LAST_DAY)
    assert loaded.metrics.GetCustomerValue(request) == biggest


def test_a_value_says_why(loaded: Metrics) -> None:
    """x, t_x and T are those of the purchases, and CLV is margin times spend times DERT."""
    mine = [purchase for purchase in cdnow.read_master() if purchase.customer == 4]
    days = sorted({purchase.day for purchase in mine})
    request = api.GetCustomerValueRequest(customer="customers/00004", as_of=LAST_DAY)
    value = loaded.metrics.GetCustomerValue(request)
    assert value.repeat_count == len(days) - 1 > 0
    assert value.recency_weeks == (days[-1] - days[0]).days / 7
    assert value.age_weeks == (cdnow.LAST_DAY - days[0]).days / 7
    assert to_minor(value.total_spend) == sum(purchase.cents for purchase in mine)
    assert 0 < value.alive_probability < 1
    product = 0.30 * to_minor(value.expected_spend) * value.discounted_expected_purchases
    assert to_minor(value.clv) == pytest.approx(product, abs=1)


def test_an_earlier_day_shows_only_what_had_happened(loaded: Metrics) -> None:
    """After one day there are that day's customers, none of whom came back."""
    first_day = timestamp(datetime(1997, 1, 1, 23, 59, 59, tzinfo=UTC))
    answer = equity(loaded, as_of=first_day)
    buyers = {p.customer for p in cdnow.read_master() if p.day == cdnow.FIRST_DAY}
    assert answer.total.total.customer_count == len(buyers)
    assert answer.total.with_repeat.customer_count == 0
    assert not answer.total.with_repeat.HasField("mean_clv")


def test_the_same_request_is_not_fitted_again(loaded: Metrics) -> None:
    """A repeated request gives the first model; under its id nothing else can be asked for."""
    first = models(loaded).models[0]
    again, call = loaded.metrics.FitModel.with_call(fit_request(SPEND, request_id=ONCE))
    assert again == first
    assert int(dict(call.trailing_metadata())["equiloop-position"]) > first.fitted_on_position
    other = refused(lambda: loaded.metrics.FitModel(fit_request(PARETO, request_id=ONCE)))
    assert (other.code, other.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert models(loaded).models[0] == first


def test_models_are_listed_by_the_page_and_got_by_name(loaded: Metrics) -> None:
    """All five fits, the latest first, page by page; each is what GetModel answers."""
    listed = list(models(loaded).models)
    assert [model.kind for model in listed] == [SPEND, PARETO, SPEND, BG_NBD, PARETO]
    first = models(loaded, page_size=3)
    rest = models(loaded, page_size=3, page_token=first.next_page_token)
    assert [*first.models, *rest.models] == listed
    assert not rest.next_page_token
    for model in listed:
        assert loaded.metrics.GetModel(api.GetModelRequest(name=model.name)) == model


def test_what_there_is_not_is_not_found(loaded: Metrics) -> None:
    """Neither a model nor a customer that nobody knows; the name asked for is told."""
    how = refused(lambda: loaded.metrics.GetModel(api.GetModelRequest(name="models/none")))
    assert how == Refused(grpc.StatusCode.NOT_FOUND, "NOT_FOUND", {"resource": "models/none"})
    request = api.GetCustomerValueRequest(customer="customers/nobody")
    how = refused(lambda: loaded.metrics.GetCustomerValue(request))
    assert (how.code, how.figures["resource"]) == (grpc.StatusCode.NOT_FOUND, "customers/nobody")


def test_every_wrong_field_is_named(loaded: Metrics) -> None:
    """Each question refuses what cannot be answered, by the path of each field."""
    stub = loaded.metrics
    early = timestamp(datetime(1996, 12, 31, 23, 59, tzinfo=UTC))
    late = timestamp(datetime.now(UTC) + timedelta(hours=1))
    nobody = ["customers/1"] * 10_001
    cases: list[tuple[Any, Any, set[str]]] = [
        (stub.GetCustomerEquity, api.GetCustomerEquityRequest(as_of=early), {"as_of"}),
        (stub.GetCustomerEquity, api.GetCustomerEquityRequest(as_of=late), {"as_of"}),
        (
            stub.GetCustomerEquity,
            api.GetCustomerEquityRequest(
                group_by=77,  # type: ignore[arg-type]
                cohort="No!",
                segment="No!",
                customer_manager="maria",
            ),
            {"group_by", "cohort", "segment", "customer_manager"},
        ),
        (
            stub.GetCustomerValue,
            api.GetCustomerValueRequest(customer="customers/1", as_of=early),
            {"as_of"},
        ),
        (stub.GetCustomerValue, api.GetCustomerValueRequest(customer="1"), {"customer"}),
        (stub.GetCustomerValues, api.GetCustomerValuesRequest(), {"customers"}),
        (stub.GetCustomerValues, api.GetCustomerValuesRequest(customers=nobody), {"customers"}),
        (
            stub.GetCustomerValues,
            api.GetCustomerValuesRequest(customers=["customers/1", "2", "x/3"]),
            {"customers[1]", "customers[2]"},
        ),
        (
            stub.FitModel,
            api.FitModelRequest(cohort="No!", request_id="7"),
            {"kind", "cohort", "currency_code", "request_id"},
        ),
        (stub.FitModel, fit_request(PARETO, request_id="7"), {"request_id"}),
        (stub.FitModel, fit_request(PARETO, early), {"as_of"}),
        (stub.FitModel, fit_request(PARETO, late), {"as_of"}),
        (stub.GetModel, api.GetModelRequest(name="customers/1"), {"name"}),
        (stub.ListModels, api.ListModelsRequest(kind=9), {"kind"}),  # type: ignore[arg-type]
        (stub.ListModels, api.ListModelsRequest(page_size=-1), {"page_size"}),
        (stub.ListModels, api.ListModelsRequest(page_token="!"), {"page_token"}),
    ]
    before = models(loaded)
    for method, request, fields in cases:
        how = refused(partial(method, request))
        assert (how.code, {*how.fields}) == (INVALID, fields), request
    told = refused(lambda: equity(loaded, as_of=early)).fields["as_of"]
    assert "1997-01-01" in told
    assert models(loaded) == before


def test_who_cannot_be_fitted_is_told(loaded: Metrics) -> None:
    """A cohort of nobody, or a currency that nobody paid in, has nothing to fit on."""
    nobody = api.FitModelRequest(kind=PARETO, cohort="nobody", currency_code="USD")
    unpaid = api.FitModelRequest(kind=SPEND, currency_code="EUR")
    for request in (nobody, unpaid):
        how = refused(partial(loaded.metrics.FitModel, request))
        assert (how.code, how.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "FIT_FAILED")
        assert how.figures == {"customers": "0"}


def test_a_watch_begins_with_equity_as_it_is(loaded: Metrics) -> None:
    """The first answer is what GetCustomerEquity says, at the position to resume from."""
    request = api.WatchCustomerEquityRequest(as_of=LAST_DAY, group_by=api.EQUITY_GROUPING_COHORT)
    watch = loaded.metrics.WatchCustomerEquity(request)
    first = next(iter(watch))
    watch.cancel()
    assert first.equity == equity(loaded, group_by=api.EQUITY_GROUPING_COHORT)
    assert first.position == first.equity.position
