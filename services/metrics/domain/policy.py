"""The one policy by which purchases become equity: margin, discount, currency, spend limit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from equiloop.metrics.v1 import events_pb2 as events
from google.protobuf.message import Message
from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from libs.kernel.money import Money, currency
from libs.kernel.values import Command, timestamp


class SetEquityPolicy(Command):
    """From now on, equity is figured this way.

    ``margin`` is a share of revenue, ``annual_discount_rate`` effective a year (0.15 is 15 %).
    Customers who spent more than ``spend_limit`` are left out; without one, nobody is.
    """

    margin: Annotated[float, Field(gt=0, le=1)]
    annual_discount_rate: Annotated[float, Field(gt=0, le=10)]
    currency_code: Annotated[str, AfterValidator(currency)]
    spend_limit: Money | None = None

    @field_validator("spend_limit")
    @classmethod
    def _limits(cls, value: Money | None, others: ValidationInfo) -> Money | None:
        if value is None:
            return None
        if value.minor <= 0:
            msg = "must be above zero; without a limit nobody is left out"
            raise ValueError(msg)
        if value.currency_code != others.data.get("currency_code", value.currency_code):
            msg = f"must be in {others.data['currency_code']}, the policy's currency"
            raise ValueError(msg)
        return value


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy as it now is; ``latest`` is None until one was set."""

    latest: events.EquityPolicySet | None = None


INITIAL = Policy()


def decide(command: SetEquityPolicy, state: Policy, now: datetime) -> Sequence[Message]:
    """Answer what follows from ``command``: nothing, when that is the policy already."""
    latest = state.latest
    if latest is not None and _set(command, latest.event_time.ToDatetime()) == latest:
        return []
    return [_set(command, now)]


def _set(command: SetEquityPolicy, at: datetime) -> events.EquityPolicySet:
    return events.EquityPolicySet(
        event_time=timestamp(at),
        margin=command.margin,
        annual_discount_rate=command.annual_discount_rate,
        currency_code=command.currency_code,
        spend_limit_minor=command.spend_limit.minor if command.spend_limit else 0,
    )


def evolve(state: Policy, event: Message) -> Policy:
    """Answer ``state`` after ``event``."""
    match event:
        case events.EquityPolicySet():
            return Policy(event)
    return state
