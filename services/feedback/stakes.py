"""Equity at stake: what the customers whose feedback is open are worth, theme by theme."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
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


class Valuer(Protocol):
    """Somebody who knows what customers are worth."""

    async def values(
        self, customers: Collection[str], as_of: Timestamp
    ) -> tuple[str, Mapping[str, int]]:
        """Answer the currency, and the CLV in minor units of each customer who has one."""
        ...


class MetricsValuer:
    """Asks the metrics service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Ask over ``channel``."""
        self._metrics = MetricsServiceStub(channel)

    async def values(
        self, customers: Collection[str], as_of: Timestamp
    ) -> tuple[str, Mapping[str, int]]:
        """Ask for all customers, 10,000 at a time."""
        along = current().onward()
        try:
            policy = await self._metrics.GetEquityPolicy(
                metrics_api.GetEquityPolicyRequest(), timeout=TIMEOUT, metadata=along
            )
            worth: dict[str, int] = {}
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
                raise Refusal("EQUITY_NOT_AVAILABLE", message) from None
            raise
        return policy.currency_code, worth


_NOT_YET = {grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND}


async def rank(
    stakes: Sequence[tuple[str, str, int]], valuer: Valuer, as_of: Timestamp
) -> list[api.ThemeAtStake]:
    """Answer themes by equity at stake; ``stakes`` are (theme, customer, open items).

    A customer counts once in a theme, however much he said (domain.md). Without any open theme
    nobody is asked.
    """
    heads: defaultdict[str, set[str]] = defaultdict(set)
    items: defaultdict[str, int] = defaultdict(int)
    for theme, customer, count in stakes:
        items[theme] += count
        heads[theme].update({customer} - {""})
    if not items:
        return []
    currency, worth = await valuer.values(set[str]().union(*heads.values()), as_of)
    equity = {theme: sum(worth.get(customer, 0) for customer in heads[theme]) for theme in items}
    by_equity = sorted(items, key=lambda theme: (-equity[theme], theme))
    by_heads = sorted(items, key=lambda theme: (-len(heads[theme]), theme))
    place = {theme: number for number, theme in enumerate(by_heads, 1)}
    return [
        api.ThemeAtStake(
            theme=theme,
            equity_at_stake=to_message(equity[theme], currency),
            customer_count=len(heads[theme]),
            open_feedback_count=items[theme],
            rank_by_heads=place[theme],
            rank_by_equity=number,
        )
        for number, theme in enumerate(by_equity, 1)
    ]
