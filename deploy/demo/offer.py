"""The offer of the demo: drawn from a need that customers showed, and refused by some."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from equiloop.feedback.v1 import market_events_pb2 as market_events
from equiloop.feedback.v1 import market_service_pb2 as market
from equiloop.feedback.v1 import service_pb2 as feedback
from equiloop.offers.v1 import service_pb2 as offers

from deploy.demo.act import complaints
from deploy.demo.gateway import Gateway, request_id
from deploy.demo.organisation import HEAD
from libs.kernel.values import timestamp

THEME = "service"
"""What the need is about."""

_SHOWN = timestamp(datetime(1998, 6, 1, 12, tzinfo=UTC))
_REASONS = (
    "I have all the players I need.",
    "Too expensive for what it does.",
    "I would rather have my old one repaired.",
)


async def offer(
    gateway: Gateway,
    said: Sequence[feedback.Feedback],
    audience: Sequence[str],
    advance: Callable[[int], object],
) -> int:
    """Make an offer because of a validated need; answer how many refused it with a reason."""
    identify = market.IdentifyNeedRequest(
        title="To be answered within two days",
        feedback=[item.name for item in complaints(said, THEME)],
        by=HEAD,
        request_id=request_id("need"),
    )
    need = (await gateway.send(gateway.market.IdentifyNeed(identify))).name
    validate = market.ValidateNeedRequest(
        name=need,
        method=market_events.VALIDATION_METHOD_INTERVIEWS,
        evidence="An illustration: no interviews were held",
        by=HEAD,
        request_id=request_id("need", "validate"),
    )
    await gateway.send(gateway.market.ValidateNeed(validate))
    draft = offers.DraftOfferRequest(
        title="Two years of service at your door",
        description="Because many of you waited for an answer that did not come",
        needs=[need],
        request_id=request_id("offer", "draft"),
    )
    name = (await gateway.send(gateway.offers.DraftOffer(draft))).name
    approve = offers.ApproveOfferRequest(
        name=name, customer_manager=HEAD, request_id=request_id("offer", "approve")
    )
    await gateway.send(gateway.offers.ApproveOffer(approve))
    launch = offers.LaunchOfferRequest(name=name, request_id=request_id("offer", "launch"))
    await gateway.send(gateway.offers.LaunchOffer(launch))
    refusals = 0
    for place, customer in enumerate(audience):
        refusals += await _present(gateway, name, customer, place)
        advance(1)
    return refusals


async def _present(gateway: Gateway, name: str, customer: str, place: int) -> bool:
    """Show the offer to one customer; every third takes it, and the others say why not."""
    present = offers.PresentOfferRequest(
        name=name,
        customer=customer,
        present_time=_SHOWN,
        request_id=request_id("offer", "present", customer),
    )
    shown = await gateway.send(gateway.offers.PresentOffer(present))
    refused = place % 3 > 0
    respond = offers.RecordResponseRequest(
        name=shown.name,
        answer=offers.ANSWER_REFUSED if refused else offers.ANSWER_ACCEPTED,
        reason=_REASONS[place % len(_REASONS)] if refused else "",
        language_code="en" if refused else "",
        respond_time=_SHOWN,
        request_id=request_id("offer", "respond", customer),
    )
    await gateway.send(gateway.offers.RecordResponse(respond))
    return refused
