"""The gRPC edge of offers: message → command → decide → append → reply."""

from functools import partial
from typing import Any

from equiloop.offers.v1 import service_pb2 as api
from equiloop.offers.v1.service_pb2_grpc import OfferServiceServicer

from libs.chassis.call import current
from libs.chassis.edge import change, get
from libs.chassis.paging import Page
from libs.contract.parse import parse
from libs.decider import Aggregate, Decider, Known
from libs.eventstore.port import EventStore
from libs.kernel.refusals import NotFound
from libs.kernel.values import id_of
from libs.projection.sqlite import SqliteDatabase
from services.offers import resources
from services.offers.domain import offer, presentation
from services.offers.views import book

OFFER = Aggregate("offer", "offers", offer.INITIAL, offer.evolve)
PRESENTATION = Aggregate("presentation", "presentations", presentation.INITIAL, presentation.evolve)


class OfferService(OfferServiceServicer):
    """Answers calls; what it knows it asks of the log and of its views."""

    def __init__(self, store: EventStore, decider: Decider, views: SqliteDatabase) -> None:
        """Decide by ``decider``; ask ``views`` which offers there are."""
        self._decider, self._views = decider, views
        self._customers = Known(store, "customer")
        self._feedback = Known(store, "feedback")

    # Offers

    async def DraftOffer(self, request: api.DraftOfferRequest, _: Any) -> api.Offer:
        """See the contract."""
        call = current().request(request)
        key = call.derive("offer")
        command = parse(offer.DraftOffer, request, offer=f"offers/{key}")
        unknown = await self._feedback.missing(map(id_of, command.feedback))
        if unknown:
            raise NotFound(f"feedback/{min(unknown)}", "feedback")
        decide = partial(offer.decide, command)
        handled = await self._decider.handle(OFFER, key, decide, call, new=True)
        current().wrote(handled.position)
        return resources.offer(handled)

    async def ApproveOffer(self, request: api.ApproveOfferRequest, _: Any) -> api.Offer:
        """See the contract."""
        command = parse(offer.ApproveOffer, request)
        handled = await change(self._decider, OFFER, command, offer.decide, request)
        return resources.offer(handled)

    async def LaunchOffer(self, request: api.LaunchOfferRequest, _: Any) -> api.Offer:
        """See the contract."""
        command = parse(offer.LaunchOffer, request)
        handled = await change(self._decider, OFFER, command, offer.decide, request)
        return resources.offer(handled)

    async def GetOffer(self, request: api.GetOfferRequest, _: Any) -> api.Offer:
        """See the contract."""
        return resources.offer(await get(self._decider, OFFER, request.name))

    async def ListOffers(self, request: api.ListOffersRequest, _: Any) -> api.ListOffersResponse:
        """See the contract."""
        page = Page.of(request)
        after = page.after[0] if page.after else -1
        with self._views.read() as db:
            found = book.list_lines(db, after=after, limit=page.size + 1, origin=request.origin)
        response = api.ListOffersResponse()
        for line in found[: page.size]:
            response.offers.add(
                offer=resources.offer(await get(self._decider, OFFER, line.offer)),
                presented_count=line.presented,
                accepted_count=line.accepted,
                refused_count=line.refused,
            )
        if len(found) > page.size:
            response.next_page_token = page.token([found[page.size - 1].position])
        return response

    # Presentations

    async def PresentOffer(self, request: api.PresentOfferRequest, _: Any) -> api.Presentation:
        """See the contract."""
        call = current().request(request)
        key = call.derive("presentation")
        command = parse(presentation.PresentOffer, request, presentation=f"presentations/{key}")
        shown = await get(self._decider, OFFER, command.name)
        if not await self._customers.has(id_of(command.customer)):
            raise NotFound(command.customer, "customer")
        decide = partial(presentation.decide, command.model_copy(update={"offer": shown.state}))
        handled = await self._decider.handle(PRESENTATION, key, decide, call, new=True)
        current().wrote(handled.position)
        return resources.presentation(handled)

    async def RecordResponse(self, request: api.RecordResponseRequest, _: Any) -> api.Presentation:
        """See the contract."""
        command = parse(presentation.RecordResponse, request)
        handled = await change(self._decider, PRESENTATION, command, presentation.decide, request)
        return resources.presentation(handled)

    async def GetPresentation(
        self, request: api.GetPresentationRequest, _: Any
    ) -> api.Presentation:
        """See the contract."""
        return resources.presentation(await get(self._decider, PRESENTATION, request.name))
