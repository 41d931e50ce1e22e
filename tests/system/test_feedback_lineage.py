"""From words to worth through the gateway: real services, one customer's whole way."""

import http.client
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from equiloop.customers.v1 import organisation_service_pb2 as organisation
from equiloop.customers.v1 import service_pb2 as customers
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api
from equiloop.offers.v1 import service_pb2 as offers
from google.protobuf.timestamp_pb2 import Timestamp

from deploy.local.system import System
from libs.kernel.money import to_message
from tests.system.support import rest, stubs


@dataclass
class Way:
    """A customer of a segment of his own, who spoke, was told, bought, and was made an offer."""

    address: str
    stubs: Any
    segment: str
    customer: str = ""
    function: str = ""
    feedback: str = ""
    action: str = ""
    offer: str = ""
    position: int = 0

    def send(self, method: Any, request: Any) -> Any:
        """Send a command, and remember how far it took the log."""
        answer, call = method.with_call(request, timeout=10)
        reached = [int(v) for k, v in call.trailing_metadata() if k == "equiloop-position"]
        self.position = max(self.position, *reached)
        return answer

    def ask(self, method: Any, request: Any) -> Any:
        """Ask of views that have seen all that was sent."""
        metadata = (("equiloop-min-position", str(self.position)),)
        return method(request, metadata=metadata, timeout=10)

    def funnel(self, **asked: Any) -> api.FeedbackToAction:
        request = api.GetFeedbackToActionRequest(segment=self.segment, **asked)
        answer: api.FeedbackToAction = self.ask(self.stubs.feedback.GetFeedbackToAction, request)
        return answer

    def happen(self) -> None:
        """Let it happen."""
        feedback, offer = self.stubs.feedback, self.stubs.offers
        register = customers.RegisterCustomerRequest(
            customer_id=self.segment, segments=[self.segment]
        )
        self.customer = self.send(self.stubs.customers.RegisterCustomer, register).name
        said = api.RecordFeedbackRequest(
            customer=self.customer, channel=events.CHANNEL_WEB, text="the battery dies at noon"
        )
        self.feedback = self.send(feedback.RecordFeedback, said).name
        function = organisation.RegisterFunctionRequest(function_id=self.segment)
        self.function = self.send(self.stubs.organisation.RegisterFunction, function).name
        commit = api.CommitActionRequest(
            kind=events.ACTION_KIND_PRODUCT_CHANGE,
            title="a larger battery",
            owner=self.function,
            feedback=[self.feedback],
        )
        self.action = self.send(feedback.CommitAction, commit).name
        complete = api.CompleteActionRequest(name=self.action, outcome="it lasts two days")
        self.send(feedback.CompleteAction, complete)
        close = api.CloseLoopRequest(
            name=self.action, channel=events.CHANNEL_EMAIL, message="it lasts two days"
        )
        self.send(feedback.CloseLoop, close)
        now = Timestamp()
        now.GetCurrentTime()
        bought = customers.TransactionItem(
            customer=self.customer,
            amount=to_message(1999, "USD"),
            purchase_time=now,
            source=self.segment,
            source_id="1",
        )
        imported = customers.ImportTransactionsRequest(transactions=[bought])
        self.send(self.stubs.customers.ImportTransactions, imported)
        draft = offers.DraftOfferRequest(title="a second battery", feedback=[self.feedback])
        self.offer = self.send(offer.DraftOffer, draft).name
        approve = offers.ApproveOfferRequest(name=self.offer, customer_manager="managers/maria")
        self.send(offer.ApproveOffer, approve)
        self.send(offer.LaunchOffer, offers.LaunchOfferRequest(name=self.offer))
        present = offers.PresentOfferRequest(name=self.offer, customer=self.customer)
        shown = self.send(offer.PresentOffer, present).name
        accept = offers.RecordResponseRequest(name=shown, answer=offers.ANSWER_ACCEPTED)
        self.send(offer.RecordResponse, accept)


@pytest.fixture(scope="module")
def way(system: System) -> Iterator[Way]:
    with stubs(system.gateway) as opened:
        made = Way(system.gateway, opened, f"s{uuid4().hex[:8]}")
        made.happen()
        yield made


def test_the_way_of_feedback_is_whole(way: Way) -> None:
    """From his words to what he bought and the offer he took, every step an event with a place."""
    request = api.TraceFeedbackRequest(name=way.feedback)
    trace = way.ask(way.stubs.feedback.TraceFeedback, request)
    stages = {step.stage for step in trace.steps}
    assert {
        api.TRACE_STAGE_WORDS,
        api.TRACE_STAGE_ACTION,
        api.TRACE_STAGE_TOLD,
        api.TRACE_STAGE_PURCHASE,
        api.TRACE_STAGE_OFFER,
        api.TRACE_STAGE_RESPONSE,
    } <= stages
    assert all(step.event_id and step.position for step in trace.steps)
    assert (trace.told, list(trace.offers), trace.later_purchase_count) == (True, [way.offer], 1)
    assert list(trace.later_purchase_amounts) == [to_message(1999, "USD")]


def test_an_action_and_an_offer_lead_back_to_the_words(way: Way) -> None:
    """Over REST, as a front end asks: both name the feedback that they came from."""
    at = {"equiloop-min-position": str(way.position)}
    action = rest(way.address, "GET", f"/v1/{way.action}:trace", headers=at)
    offer = rest(way.address, "GET", f"/v1/{way.offer}:trace", headers=at)
    assert (action.status, offer.status) == (200, 200)
    assert [item["feedback"] for item in action.json["feedback"]] == [way.feedback]
    assert action.json["feedback"][0]["loopState"] == "LOOP_STATE_TOLD"
    assert [item["feedback"] for item in offer.json["feedback"]] == [way.feedback]
    assert (offer.json["presentedCount"], offer.json["acceptedCount"]) == ("1", "1")


def test_the_funnel_is_narrowed_by_segment_and_function(way: Way) -> None:
    """One item of this segment, told; none of it is for another function to answer."""
    whole = way.funnel()
    assert (whole.received_count, whole.completed_count, whole.told_count) == (1, 1, 1)
    assert way.funnel(function=way.function).told_count == 1
    assert way.funnel(function="functions/sales").received_count == 0
    assert len(whole.time_to_close) == 1


def test_a_screen_follows_open_loops(way: Way) -> None:
    """What is open comes first; then a loop that opens, and closes, over gRPC and over REST."""
    watching = way.stubs.feedback.WatchOpenLoops(
        api.WatchOpenLoopsRequest(segment=way.segment), timeout=60
    )
    first = next(watching)
    assert (list(first.open), first.open_count, first.caught_up) == ([], 0, True)
    connection = http.client.HTTPConnection(way.address, timeout=60)
    connection.request("GET", f"/v1/openLoops:watch?{urlencode({'segment': way.segment})}")
    streamed = connection.getresponse()
    said = api.RecordFeedbackRequest(
        customer=way.customer, channel=events.CHANNEL_WEB, text="and the screen is dim"
    )
    name = way.send(way.stubs.feedback.RecordFeedback, said).name
    assert [loop.feedback for loop in next(watching).open] == [name]
    asked = api.ListOpenLoopsRequest(segment=way.segment)
    listed = way.ask(way.stubs.feedback.ListOpenLoops, asked)
    assert ([loop.feedback for loop in listed.open_loops], listed.total_size) == ([name], 1)
    assert name in _until(streamed, name)
    watching.cancel()
    connection.close()


def _until(response: http.client.HTTPResponse, words: str) -> str:
    """Read a streamed answer until ``words`` are in it; the time is bounded by the connection's."""
    text = ""
    while words not in text:
        piece = response.read1(65_536)
        assert piece, f"the stream ended: {text}"
        text += piece.decode()
    return text
