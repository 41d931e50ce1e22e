"""What the demo reports: equity, models, the funnel, themes at stake, one lineage."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from equiloop.feedback.v1 import service_pb2 as feedback
from equiloop.metrics.v1 import events_pb2 as models
from equiloop.metrics.v1 import service_pb2 as metrics

from deploy.demo.act import TOLD, complaints
from deploy.demo.cdnow import Purchase
from deploy.demo.gateway import Gateway, request_id
from deploy.demo.listen import SAMPLE, customer
from deploy.demo.offer import THEME
from libs.kernel.money import EXPONENTS, to_message, to_minor
from libs.kernel.values import timestamp

AS_OF = timestamp(datetime(1998, 6, 30, 23, 59, 59, tzinfo=UTC))
"""The end of the 78 weeks that CDNOW's customers were followed."""

MARGIN, DISCOUNT, LEFT_OUT = 0.30, 0.15, 10
_KINDS = (models.MODEL_KIND_PARETO_NBD, models.MODEL_KIND_GAMMA_GAMMA)
Report = dict[str, Any]


def spend_limit(purchases: Iterable[Purchase]) -> int:
    """Answer the limit, in cents, that leaves out the ten biggest spenders and nobody else.

    The study leaves out ten customers, "over $4,000"; twelve of CDNOW's spent more than that in
    all, and the ten of them are those who spent most. Their limit is what the eleventh spent.
    """
    spent: Counter[int] = Counter()
    for purchase in purchases:
        spent[purchase.customer] += purchase.cents
    return spent.most_common(LEFT_OUT + 1)[-1][1]


async def fit(gateway: Gateway, limit: int) -> Report:
    """Set the policy of the published study and fit both models on its sample."""
    policy = metrics.SetEquityPolicyRequest(
        margin=MARGIN,
        annual_discount_rate=DISCOUNT,
        currency_code="USD",
        spend_limit=to_message(limit, "USD"),
        request_id=request_id("policy"),
    )
    await gateway.send(gateway.metrics.SetEquityPolicy(policy))
    fitted = {}
    for kind in _KINDS:
        request = metrics.FitModelRequest(
            kind=kind,
            cohort=SAMPLE,
            as_of=AS_OF,
            currency_code="USD",
            request_id=request_id("fit", kind),
        )
        metadata = (("equiloop-min-position", str(gateway.position)),)
        model = await gateway.send(
            gateway.metrics.FitModel(request, metadata=metadata, timeout=120)
        )
        fitted[models.ModelKind.Name(kind).removeprefix("MODEL_KIND_").lower()] = {
            **{parameter.name: parameter.value for parameter in model.parameters},
            "log_likelihood": model.log_likelihood,
            "customers": model.customer_count,
        }
    return {"models": fitted}


async def equity(gateway: Gateway) -> Report:
    """Ask for customer equity as of the end of the data."""
    answer = await gateway.ask(
        gateway.metrics.GetCustomerEquity, metrics.GetCustomerEquityRequest(as_of=AS_OF)
    )
    group = answer.total
    return {
        "customers": group.total.customer_count,
        "customers_without_repeat": group.without_repeat.customer_count,
        "customers_left_out": answer.left_out_customer_count,
        "spend_limit": _amount(answer.policy.spend_limit),
        "customer_equity": _amount(group.total.equity),
        "mean_clv": _amount(group.total.mean_clv),
        "equity_without_repeat": _amount(group.without_repeat.equity),
        "mean_clv_without_repeat": _amount(group.without_repeat.mean_clv),
        "currency": answer.policy.currency_code,
    }


async def funnel(gateway: Gateway) -> Report:
    """Ask which feedback turned into action."""
    answer = await gateway.ask(
        gateway.feedback.GetFeedbackToAction, feedback.GetFeedbackToActionRequest()
    )
    return {
        "feedback_to_action": {
            "received": answer.received_count,
            "linked": answer.linked_count,
            "committed": answer.committed_count,
            "completed": answer.completed_count,
            "declined": answer.declined_count,
            "told": answer.told_count,
            "open": answer.open_count,
            "links": answer.link_count,
            "reopened": answer.reopened_count,
            "feedback_to_action": round(answer.feedback_to_action, 6),
            "closed_loop_rate": round(answer.closed_loop_rate, 6),
            "feedback_is": "an illustration: real review sentences of other products, attributed "
            "to CDNOW's customers by a fixed rule",
        }
    }


async def themes(gateway: Gateway) -> Report:
    """Ask for the themes with open feedback: the first two by equity at stake, and by heads."""
    request = feedback.RankThemesRequest(page_size=1000, as_of=AS_OF)
    ranked = (await gateway.ask(gateway.feedback.RankThemes, request)).themes
    by_heads = sorted(ranked, key=lambda theme: theme.rank_by_heads)
    return {
        "themes_by_equity": [_theme(theme) for theme in ranked[:FIRST]],
        "themes_by_heads": [_theme(theme) for theme in by_heads[:FIRST]],
    }


FIRST = 2
"""Themes shown by each ranking."""


def _theme(theme: feedback.ThemeAtStake) -> Report:
    return {
        "theme": theme.theme,
        "equity_at_stake": _amount(theme.equity_at_stake),
        "heads": theme.customer_count,
        "open_feedback": theme.open_feedback_count,
        "rank_by_equity": theme.rank_by_equity,
        "rank_by_heads": theme.rank_by_heads,
    }


def one_told(said: Iterable[feedback.Feedback], purchases: Iterable[Purchase]) -> str:
    """Answer the feedback whose way is shown: of whoever was told and bought again, the angriest.

    Where nobody did, of whoever was told.
    """
    told = complaints(said, THEME)
    on = TOLD.ToDatetime().date()
    again = {customer(purchase.customer) for purchase in purchases if purchase.day > on}
    return min(told, key=lambda item: (item.customer not in again, item.sentiment, item.name)).name


async def lineage(gateway: Gateway, name: str) -> Report:
    """Ask for the whole way of one piece of feedback."""
    answer = await gateway.ask(
        gateway.feedback.TraceFeedback, feedback.TraceFeedbackRequest(name=name)
    )
    spent = [_amount(amount) for amount in answer.later_purchase_amounts]
    return {
        "lineage": {
            "feedback": answer.feedback.name,
            "words": answer.feedback.text,
            "customer": answer.feedback.customer,
            "told": answer.told,
            "needs": list(answer.needs),
            "offers": list(answer.offers),
            "later_purchases": answer.later_purchase_count,
            "later_purchases_amount": sum(spent),
            "clv_when_said": _amount(answer.value.before),
            "steps": [
                {
                    "stage": feedback.TraceStage.Name(step.stage).removeprefix("TRACE_STAGE_"),
                    "event": step.event_type.rpartition(".")[2],
                    "summary": step.summary,
                    "event_id": step.event_id,
                    "position": step.position,
                }
                for step in answer.steps
            ],
        }
    }


def _amount(money: Any) -> float:
    """Answer an amount in major units, exact to the minor unit."""
    digits = EXPONENTS[money.currency_code]
    amount: float = to_minor(money) / 10**digits
    return round(amount, digits)
