"""Second half of the demo: actions, refusals, loops closed, and one offer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from equiloop.customers.v1 import organisation_service_pb2 as organisation
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as feedback
from equiloop.offers.v1 import service_pb2 as offers

from deploy.demo.gateway import Gateway, request_id
from deploy.demo.listen import customer
from deploy.demo.reviews import Sentence
from libs.kernel.values import id_of, timestamp

_PROMISED, _ENDED, _TOLD = (
    timestamp(datetime(1998, 7, day, 12, tzinfo=UTC)) for day in (1, 13, 15)
)
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Plan:
    """What the demo's organisation does about the complaints in one theme."""

    theme: str
    kind: events.ActionKind.ValueType
    owner: str
    title: str
    done: str = ""
    refused: str = ""
    tell: bool = True


PLANS = (
    Plan(
        "battery",
        events.ACTION_KIND_PRODUCT_CHANGE,
        "functions/research",
        "Ship a battery that lasts a working day",
        done="The new battery holds for eleven hours and fits the old models",
    ),
    Plan(
        "service",
        events.ACTION_KIND_PROCESS_CHANGE,
        "functions/service",
        "Answer every return within two days",
        done="Returns are decided by whoever picks up the phone",
    ),
    Plan(
        "ease-of-use",
        events.ACTION_KIND_OBSTACLE_REMOVAL,
        "functions/product",
        "Cut the menu to one level",
        done="The menu has one level; the manual has four pages",
        tell=False,
    ),
    Plan(
        "price",
        events.ACTION_KIND_ANSWER,
        "functions/sales",
        "Lower the price of last year's models",
        refused="Last year's models are sold at what they cost us; we publish the sum",
    ),
    Plan(
        "software",
        events.ACTION_KIND_PRODUCT_CHANGE,
        "functions/research",
        "Let files be copied without our software",
    ),
)

_REASONS = (
    "I have all the players I need.",
    "Too expensive for what it does.",
    "I would rather have my old one repaired.",
)


async def act(
    gateway: Gateway,
    sentences: Sequence[Sentence],
    names: dict[str, str],
    advance: Callable[[int], object],
) -> None:
    """Commit one action for the complaints of each plan's theme; finish, refuse, and tell."""
    for owner in sorted({plan.owner for plan in PLANS}):
        function = organisation.RegisterFunctionRequest(
            function_id=id_of(owner), request_id=request_id("function", owner)
        )
        await gateway.send(gateway.organisation.RegisterFunction(function))
    for plan in PLANS:
        complaints = [
            names[sentence.id]
            for sentence in sentences
            if plan.theme in sentence.themes and sentence.rating < 0
        ]
        committed = await gateway.send(
            gateway.feedback.CommitAction(
                feedback.CommitActionRequest(
                    kind=plan.kind,
                    title=plan.title,
                    owner=plan.owner,
                    feedback=complaints[:_MOST],
                    commit_time=_PROMISED,
                    request_id=request_id("commit", plan.theme),
                )
            )
        )
        await _finish(gateway, plan, committed.name)
        advance(1)


async def _finish(gateway: Gateway, plan: Plan, action: str) -> None:
    if plan.done:
        complete = feedback.CompleteActionRequest(
            name=action,
            outcome=plan.done,
            complete_time=_ENDED,
            request_id=request_id("complete", plan.theme),
        )
        await gateway.send(gateway.feedback.CompleteAction(complete))
    elif plan.refused:
        decline = feedback.DeclineActionRequest(
            name=action,
            reason=plan.refused,
            decline_time=_ENDED,
            request_id=request_id("decline", plan.theme),
        )
        await gateway.send(gateway.feedback.DeclineAction(decline))
    if plan.tell and (plan.done or plan.refused):
        close = feedback.CloseLoopRequest(
            name=action,
            channel=events.CHANNEL_EMAIL,
            message=plan.done or plan.refused,
            told_time=_TOLD,
            request_id=request_id("tell", plan.theme),
        )
        await gateway.send(gateway.feedback.CloseLoop(close))


async def offer(
    gateway: Gateway,
    sentences: Sequence[Sentence],
    names: dict[str, str],
    advance: Callable[[int], object],
) -> int:
    """Make one offer out of what was said about sound; answer how many refused it with a reason."""
    said = [sentence for sentence in sentences if "sound" in sentence.themes][:_MOST]
    draft = offers.DraftOfferRequest(
        title="Headphones that fit the player",
        description="Because many of you said that the ones in the box do not do it justice",
        feedback=[names[sentence.id] for sentence in said],
        request_id=request_id("offer", "draft"),
    )
    name = (await gateway.send(gateway.offers.DraftOffer(draft))).name
    approve = offers.ApproveOfferRequest(
        name=name, customer_manager="managers/maria", request_id=request_id("offer", "approve")
    )
    await gateway.send(gateway.offers.ApproveOffer(approve))
    launch = offers.LaunchOfferRequest(name=name, request_id=request_id("offer", "launch"))
    await gateway.send(gateway.offers.LaunchOffer(launch))
    audience = sorted({sentence.author for sentence in said})
    refusals = 0
    for place, number in enumerate(audience):
        refusals += await _present(gateway, name, number, place)
        advance(1)
    return refusals


async def _present(gateway: Gateway, offer_name: str, number: int, place: int) -> bool:
    """Show the offer to one customer; every third takes it, and the others say why not."""
    present = offers.PresentOfferRequest(
        name=offer_name,
        customer=customer(number),
        present_time=_TOLD,
        request_id=request_id("offer", "present", number),
    )
    shown = await gateway.send(gateway.offers.PresentOffer(present))
    refused = place % 3 > 0
    respond = offers.RecordResponseRequest(
        name=shown.name,
        answer=offers.ANSWER_REFUSED if refused else offers.ANSWER_ACCEPTED,
        reason=_REASONS[place % len(_REASONS)] if refused else "",
        language_code="en" if refused else "",
        respond_time=_TOLD,
        request_id=request_id("offer", "respond", number),
    )
    await gateway.send(gateway.offers.RecordResponse(respond))
    return refused
