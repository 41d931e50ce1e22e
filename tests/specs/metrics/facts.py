"""What may have happened, in few words: customers, purchases, fits and policies."""

from datetime import UTC, datetime, timedelta

from equiloop.customers.v1 import events_pb2 as customers
from equiloop.metrics.v1 import events_pb2 as metrics
from google.type.money_pb2 import Money

from libs.kernel.money import to_message
from libs.kernel.values import timestamp
from tests.specs.given import NOW

DAY_ONE = datetime(2024, 1, 1, tzinfo=UTC)
"""The day from which the others are counted."""

PARETO, SPEND = metrics.MODEL_KIND_PARETO_NBD, metrics.MODEL_KIND_GAMMA_GAMMA
FITTED = {
    PARETO: {"r": 0.563, "alpha": 12.559, "s": 0.408, "beta": 10.515},
    SPEND: {"p": 4.683, "q": 4.190, "gamma": 24.391},
    metrics.MODEL_KIND_BG_NBD: {"r": 0.254, "alpha": 5.447, "a": 0.607, "b": 2.647},
}
"""Parameters as they are on the CDNOW sample."""


def on(day: int, *, hour: float = 0) -> datetime:
    """Answer an instant so many days and hours after the first day began."""
    return DAY_ONE + timedelta(days=day, hours=hour)


def usd(minor: int) -> Money:
    """Answer so many cents."""
    return to_message(minor, "USD")


def registered(
    customer: str, *segments: str, cohort: str = "", at: datetime = NOW
) -> customers.CustomerRegistered:
    """A customer (`7`) became known."""
    return customers.CustomerRegistered(
        event_time=timestamp(at),
        customer=f"customers/{customer}",
        cohort=cohort,
        segments=sorted(segments),
    )


def labelled(customer: str, *segments: str, cohort: str = "") -> customers.CustomerLabelled:
    """Cohort and segments of a customer were replaced."""
    return customers.CustomerLabelled(
        event_time=timestamp(NOW),
        customer=f"customers/{customer}",
        cohort=cohort,
        segments=sorted(segments),
    )


def assigned(customer: str, manager: str) -> customers.CustomerManagerAssigned:
    """A manager answers for a customer."""
    return customers.CustomerManagerAssigned(
        event_time=timestamp(NOW),
        customer=f"customers/{customer}",
        customer_manager=f"managers/{manager}",
    )


def bought(
    key: str, customer: str, minor: int, at: datetime, currency: str = "USD"
) -> customers.TransactionRecorded:
    """A customer bought something (transaction `key`) for so many minor units."""
    return customers.TransactionRecorded(
        event_time=timestamp(NOW),
        transaction=f"transactions/{key}",
        customer=f"customers/{customer}",
        amount=to_message(minor, currency),
        purchase_time=timestamp(at),
    )


def refunded(
    key: str, customer: str, minor: int, at: datetime, currency: str = "USD"
) -> customers.TransactionRefunded:
    """Money of a transaction went back."""
    return customers.TransactionRefunded(
        event_time=timestamp(NOW),
        transaction=f"transactions/{key}",
        customer=f"customers/{customer}",
        amount=to_message(minor, currency),
        refund_time=timestamp(at),
    )


def fitted(
    kind: metrics.ModelKind.ValueType, key: str = "1", *, currency: str = "USD"
) -> metrics.ModelFitted:
    """A model was fitted, with the parameters of the literature."""
    return metrics.ModelFitted(
        event_time=timestamp(NOW),
        model=f"models/{key}",
        kind=kind,
        selection=metrics.FitSelection(as_of=timestamp(NOW), currency_code=currency),
        parameters=[metrics.Parameter(name=n, value=v) for n, v in FITTED[kind].items()],
        log_likelihood=-9594.976,
        customer_count=2357,
        fitted_on_position=7,
    )


def decided(
    *,
    margin: float = 0.3,
    discount: float = 0.15,
    currency: str = "USD",
    limit: int = 0,
    at: datetime = NOW,
) -> metrics.EquityPolicySet:
    """The equity policy was set; ``limit`` in minor units, 0: none."""
    return metrics.EquityPolicySet(
        event_time=timestamp(at),
        margin=margin,
        annual_discount_rate=discount,
        currency_code=currency,
        spend_limit_minor=limit,
    )
