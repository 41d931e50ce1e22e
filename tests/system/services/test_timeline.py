"""The customer's timeline, fed by three services."""

import grpc
from equiloop.customers.v1 import organisation_service_pb2 as organisation_api
from equiloop.customers.v1 import service_pb2 as api
from equiloop.feedback.v1 import events_pb2 as feedback_events
from equiloop.feedback.v1 import service_pb2 as feedback_api
from equiloop.offers.v1 import service_pb2 as offers_api

from libs.kernel.money import to_message
from libs.kernel.values import derived_id
from tests.system.services.acts import BOUGHT, dump, item, launched, register
from tests.system.services.processes import Services, position, unique


def timeline(
    services: Services, name: str, seen: grpc.Call, page_size: int = 0
) -> list[api.TimelineEntry]:
    """All pages of a timeline."""
    entries: list[api.TimelineEntry] = []
    token, first = "", True
    while token or first:
        request = api.GetCustomerTimelineRequest(name=name, page_size=page_size, page_token=token)
        page = services.customers.GetCustomerTimeline(request, metadata=position(seen))
        assert len(page.entries) <= (page_size or 100)
        entries += page.entries
        token, first = page.next_page_token, False
    return entries


def test_it_tells_of_every_context(services: Services) -> None:
    """Registration, purchase, feedback, action, answer and offer stand in log order."""
    key = unique("c")
    name = register(
        services, customer_id=key, display_name="Anna Berg", email="anna@example.org"
    ).name
    source = unique("till")
    services.customers.ImportTransactions(
        api.ImportTransactionsRequest(transactions=[item(name, source, 1)])
    )
    said, others = (
        services.feedback.RecordFeedback(
            feedback_api.RecordFeedbackRequest(
                customer=who, channel=feedback_events.CHANNEL_EMAIL, text="It squeaks"
            )
        )
        for who in (name, register(services).name)
    )
    owner = services.organisation.RegisterFunction(
        organisation_api.RegisterFunctionRequest(function_id=unique("f"))
    ).name
    action = services.feedback.CommitAction(
        feedback_api.CommitActionRequest(
            kind=feedback_events.ACTION_KIND_PRODUCT_CHANGE,
            title="Oil it",
            feedback=[said.name, others.name],
            owner=owner,
        )
    )
    services.feedback.CompleteAction(
        feedback_api.CompleteActionRequest(name=action.name, outcome="Oiled")
    )
    for whose in (others, said):
        services.feedback.CloseLoop(
            feedback_api.CloseLoopRequest(
                name=action.name,
                feedback=[whose.name],
                channel=feedback_events.CHANNEL_PHONE,
                message="Oiled",
            )
        )
    offer = launched(services)
    shown = services.offers.PresentOffer(
        offers_api.PresentOfferRequest(name=offer.name, customer=name)
    )
    answer = offers_api.RecordResponseRequest(name=shown.name, answer=offers_api.ANSWER_REFUSED)
    _, call = services.offers.RecordResponse.with_call(answer)
    entries = timeline(services, name, call)
    bought = f"transactions/{derived_id('transaction', source, '1')}"
    assert [(each.event_type.removeprefix("equiloop."), each.resource) for each in entries] == [
        ("customers.v1.CustomerRegistered", name),
        ("customers.v1.TransactionRecorded", bought),
        ("feedback.v1.FeedbackReceived", said.name),
        ("feedback.v1.ActionCommitted", action.name),
        ("feedback.v1.ActionCompleted", action.name),
        ("feedback.v1.LoopClosed", action.name),
        ("offers.v1.OfferPresented", shown.name),
        ("offers.v1.OfferRefused", shown.name),
    ]
    assert entries[1].occur_time == BOUGHT
    assert entries[1].summary == "bought for 12.50 USD"
    assert entries[5].summary == "told by phone what became of it"
    positions = [each.position for each in entries]
    assert positions == sorted(set(positions))
    assert len({each.event_id for each in entries}) == len(entries)
    told = " ".join(each.summary for each in entries)
    for personal in ("Anna", "example", "squeaks"):
        assert personal not in told


def test_pages_lead_to_the_end_and_nothing_is_told_twice(services: Services) -> None:
    """A killed service goes on where it was; pages show each entry once, in log order."""
    name, source = register(services).name, unique("till")
    items = [item(name, source, number, cents=100 + number) for number in range(30)]
    request = api.ImportTransactionsRequest(transactions=items)
    _, call = services.customers.ImportTransactions.with_call(request)
    before = timeline(services, name, call)
    services.kill("customers")
    services.start("customers")
    refund = api.RecordRefundRequest(
        name=before[1].resource, amount=to_message(1, "USD"), reason="broken"
    )
    _, call = services.customers.RecordRefund.with_call(refund)
    after = timeline(services, name, call, page_size=7)
    assert [dump(each) for each in after[:-1]] == [dump(each) for each in before]
    assert len(before) == 31
    assert after[-1].summary == "got 0.01 USD back"
