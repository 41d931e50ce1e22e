"""Equity at stake: what the customers whose feedback is open are worth, theme by theme."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import grpc
from equiloop.feedback.v1 import service_pb2 as api
from equiloop.metrics.v1 import service_pb2 as metrics_api
from equiloop.metrics.v1.service_pb2_grpc import MetricsServiceStub
from google.protobuf.timestamp_pb2 import Timestamp

from libs.chassis.call import current
from libs.chassis.client import TIMEOUT
from libs.kernel.money import to_message, to_minor
from libs.kernel.refusals import Invalid, Refusal

_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Valuation:
    """What customers are worth as of an instant, and what that rests on.

    ``worth`` is the CLV in minor units of each customer who has one; ``position`` that of the log
    up to which purchases were seen.
    """

    currency: str
    worth: Mapping[str, int]
    purchase_model: str = ""
    spend_model: str = ""
    position: int = 0


class Valuer(Protocol):
    """Somebody who knows what customers are worth."""

    async def valuation(self, customers: Collection[str], as_of: Timestamp) -> Valuation:
        """Answer what ``customers`` are worth. Raises Refusal while that cannot be known."""
        ...


class MetricsValuer:
    """Asks the metrics service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Ask over ``channel``."""
        self._metrics = MetricsServiceStub(channel)

    async def valuation(self, customers: Collection[str], as_of: Timestamp) -> Valuation:
        """Ask for all customers, 10,000 at a time."""
        along = current().onward()
        worth: dict[str, int] = {}
        answer = metrics_api.GetCustomerValuesResponse()
        try:
            policy = await self._metrics.GetEquityPolicy(
                metrics_api.GetEquityPolicyRequest(), timeout=TIMEOUT, metadata=along
            )
            asked = sorted(customers)
            for start in range(0, len(asked), _AT_ONCE):
                request = metrics_api.GetCustomerValuesRequest(
                    customers=asked[start : start + _AT_ONCE], as_of=as_of
                )
                answer = await self._metrics.GetCustomerValues(
                    request, timeout=TIMEOUT, metadata=along
                )
                worth.update({value.customer: to_minor(value.clv) for value in answer.values})
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
                raise Invalid.field("as_of", error.details() or "not accepted") from None
            if error.code() in _NOT_YET:
                message = f"customers cannot be valued yet: {error.details()}"
                raise Refusal(NOT_AVAILABLE, message) from None
            raise
        return Valuation(
            policy.currency_code,
            worth,
            answer.purchase_model,
            answer.spend_model,
            answer.position,
        )


NOT_AVAILABLE = "EQUITY_NOT_AVAILABLE"
"""Why customers cannot be valued: there is no policy, no model, or no purchase yet."""

_NOT_YET = {grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND}


async def worth(valuer: Valuer, customers: Collection[str], as_of: Timestamp) -> Valuation | None:
    """Answer what ``customers`` are worth, for an answer that is good without it.

    None while they cannot be valued, and while nobody answers who could.
    """
    try:
        return await valuer.valuation(customers, as_of)
    except Refusal as refusal:
        if refusal.reason != NOT_AVAILABLE:
            raise
    except grpc.aio.AioRpcError as error:
        if error.code() not in _AWAY:
            raise
    return None


_AWAY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


async def change(
    valuer: Valuer, customers: Collection[str], before: Timestamp, after: Timestamp
) -> api.ValueChange | None:
    """Answer how the worth of distinct ``customers`` has changed between two instants.

    Both are valued by the same models, so that what differs is what customers did. None without
    customers, and while values are not available.
    """
    known = set(customers) - {""}
    then = await worth(valuer, known, before) if known else None
    now = await worth(valuer, known, after) if then else None
    if then is None or now is None:
        return None
    was, is_now = sum(then.worth.values()), sum(now.worth.values())
    return api.ValueChange(
        before_time=before,
        before=to_message(was, now.currency),
        after_time=after,
        after=to_message(is_now, now.currency),
        change=to_message(is_now - was, now.currency),
        purchase_model=now.purchase_model,
        spend_model=now.spend_model,
        position=now.position,
        customer_count=len(known),
    )
