"""State → resource: offers and presentations as the contract shows them."""

from equiloop.offers.v1 import events_pb2 as events
from equiloop.offers.v1 import service_pb2 as api

from libs.decider import Handled
from services.offers.domain.offer import Offer
from services.offers.domain.presentation import Presentation


def offer(handled: Handled[Offer]) -> api.Offer:
    """Answer an offer as it stands."""
    state, drafted = handled.state, handled.state.drafted
    assert drafted is not None
    return api.Offer(
        name=drafted.offer,
        title=drafted.title,
        description=drafted.description,
        price=drafted.price if drafted.HasField("price") else None,
        feedback=drafted.feedback,
        needs=drafted.needs,
        origin=drafted.origin,
        state=_stands(state),
        approved_by=state.approved_by,
        create_time=drafted.event_time,
        update_time=state.changed,
        etag=str(handled.revision),
    )


def _stands(state: Offer) -> api.OfferState.ValueType:
    if state.launched:
        return api.OFFER_STATE_LAUNCHED
    return api.OFFER_STATE_APPROVED if state.approved_by else api.OFFER_STATE_DRAFT


def presentation(handled: Handled[Presentation]) -> api.Presentation:
    """Answer a presentation with the customer's answer, if there is one."""
    presented, answered = handled.state.presented, handled.state.answered
    assert presented is not None
    resource = api.Presentation(
        name=presented.presentation,
        offer=presented.offer,
        customer=presented.customer,
        present_time=presented.present_time,
        create_time=presented.event_time,
        update_time=handled.state.changed,
        etag=str(handled.revision),
    )
    match answered:
        case events.OfferAccepted():
            resource.answer = api.ANSWER_ACCEPTED
            resource.respond_time.CopyFrom(answered.respond_time)
        case events.OfferRefused():
            resource.answer, resource.reason = api.ANSWER_REFUSED, answered.reason
            resource.respond_time.CopyFrom(answered.respond_time)
    return resource
