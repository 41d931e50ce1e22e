"""State → resource: models, the policy and money as the contract shows them."""

from equiloop.metrics.v1 import events_pb2 as events
from equiloop.metrics.v1 import service_pb2 as api
from google.type.money_pb2 import Money

from libs.kernel.money import EXPONENTS, to_message


def model(fitted: events.ModelFitted) -> api.Model:
    """Answer a fitted model."""
    return api.Model(
        name=fitted.model,
        kind=fitted.kind,
        selection=fitted.selection,
        parameters=fitted.parameters,
        log_likelihood=fitted.log_likelihood,
        customer_count=fitted.customer_count,
        fitted_on_position=fitted.fitted_on_position,
        create_time=fitted.event_time,
    )


def policy(latest: events.EquityPolicySet, revision: int) -> api.EquityPolicy:
    """Answer the equity policy as it stands at a revision of its history."""
    limit, currency = latest.spend_limit_minor, latest.currency_code
    return api.EquityPolicy(
        margin=latest.margin,
        annual_discount_rate=latest.annual_discount_rate,
        currency_code=currency,
        spend_limit=to_message(limit, currency) if limit else None,
        update_time=latest.event_time,
        etag=str(revision),
    )


def money(amount: float, currency_code: str) -> Money:
    """Answer an amount in major units, rounded half to even to whole minor units."""
    return to_message(round(amount * 10 ** EXPONENTS[currency_code]), currency_code)
