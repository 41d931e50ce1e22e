"""From words to worth and back: every step with the event that it is.

day  what happens
0    f1: customer 7 says that the battery dies; f2: customer 8 says the same
1    both are coded
2    7 buys for 10 euros
3    need N is identified from f1
4    action A is committed for f1, f2 and N
5    A is completed; 6: 7 and 8 are told
7    7 agrees, 8 protests
8    7 buys for 25 euros and gets 5 back; 8 buys for 3
9    an offer is made because of N; it is shown to 7, who takes it, and to 8, who does not
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from equiloop.feedback.v1 import service_pb2 as api
from grpc import StatusCode

from libs.eventstore.port import RecordedEvent
from libs.kernel.money import to_message
from tests.contract.chassis.serving import refused
from tests.contract.feedback.beside import OFFER, buys, is_shown_it, offers_headphones
from tests.contract.feedback.desk import Desk, day
from tests.contract.feedback.market import identify


@dataclass
class Story:
    """The history above."""

    desk: Desk
    f1: str
    f2: str
    need: str
    action: str

    async def trace(self, name: str) -> api.FeedbackTrace:
        answer: api.FeedbackTrace = await self.desk.ask(
            "TraceFeedback", api.TraceFeedbackRequest(name=name)
        )
        return answer

    async def log(self) -> dict[str, RecordedEvent]:
        """Every event by its id."""
        return {
            str(event.id): event
            async for batch in self.desk.store.read_all()
            for event in batch.events
        }


@pytest.fixture
async def story(desk: Desk) -> Story:
    store = desk.store
    f1, f2 = (await desk.record("7")).name, (await desk.record("8")).name
    desk.at(1)
    for name in (f1, f2):
        await desk.code(name, "battery", sentiment=-0.5)
    await buys(store, "early", "7", at=2, cents=1000)
    need = (await identify(desk.at(3), f1)).name
    action = (await desk.at(4).commit(f1, f2, needs=[need])).name
    await desk.at(5).complete(action)
    await desk.at(6).tell(action)
    await desk.at(7).confirm(action, f1)
    await desk.protest(action, f2)
    await buys(store, "late", "7", at=8, cents=2500, back=500)
    await buys(store, "other", "8", at=8, cents=300)
    await offers_headphones(store, 9, needs=[need])
    await is_shown_it(store, "7", 9, takes=True)
    await is_shown_it(store, "8", 9, takes=False)
    desk.at(10)
    desk.worth.cents = {"customers/7": 5000, "customers/8": 700}
    return Story(desk, f1, f2, need, action)


def told(steps: Sequence[api.TraceStep]) -> list[str]:
    """Which events they are, by name."""
    return [step.event_type.rsplit(".", 1)[1] for step in steps]


async def test_the_whole_way_is_told_in_order(story: Story) -> None:
    """Words, coding, need, promise, what was done, told, answered, bought, offered, taken."""
    trace = await story.trace(story.f1)
    assert told(trace.steps) == [
        "FeedbackReceived",
        "FeedbackCoded",
        "NeedIdentified",
        "ActionCommitted",
        "ActionCompleted",
        "LoopClosed",
        "LoopConfirmed",
        "TransactionRecorded",
        "OfferDrafted",
        "OfferApproved",
        "OfferLaunched",
        "OfferPresented",
        "OfferAccepted",
    ]
    assert [step.position for step in trace.steps] == sorted(s.position for s in trace.steps)
    assert (trace.told, list(trace.needs), list(trace.offers)) == (True, [story.need], [OFFER])
    assert [action.name for action in trace.actions] == [story.action]


async def test_every_step_is_an_event_of_the_log(story: Story) -> None:
    """Each can be looked up by its id, and stands where the step says it does."""
    log = await story.log()
    traces = [await story.trace(name) for name in (story.f1, story.f2)]
    for step in [step for trace in traces for step in trace.steps]:
        event = log[step.event_id]
        assert (step.position, step.event_type) == (event.position, event.type)
        assert step.stage != api.TRACE_STAGE_UNSPECIFIED


async def test_later_purchases_are_counted_from_when_he_was_told(story: Story) -> None:
    """What 7 bought before does not count, nor what he got back; 8 protested, and still waits."""
    first, second = await story.trace(story.f1), await story.trace(story.f2)
    assert first.later_purchase_count == 1
    assert list(first.later_purchase_amounts) == [to_message(2000, "EUR")]
    assert (second.told, second.later_purchase_count) == (False, 1)
    assert "LoopConfirmed" not in told(second.steps)
    assert "OfferRefused" in told(second.steps)


async def test_the_change_of_worth_is_told_with_what_it_rests_on(story: Story) -> None:
    """Before is when he spoke, after is now; who cannot be valued has none."""
    value = (await story.trace(story.f1)).value
    assert (value.before_time, value.after_time) == (day(0), day(10))
    assert value.after == to_message(5000, "EUR")
    assert (value.purchase_model, value.spend_model, value.position) == ("models/p", "models/s", 7)
    story.desk.worth.cents = None
    assert not (await story.trace(story.f1)).HasField("value")
    nobody = await story.desk.record()
    assert not (await story.trace(nobody.name)).HasField("value")


async def test_an_action_is_traced_back_to_the_words(story: Story) -> None:
    """Whose words it answers, how far each of them is, and what was offered because of it."""
    request = api.TraceActionRequest(name=story.action)
    trace = await story.desk.ask("TraceAction", request)
    assert [(item.feedback, item.customer, item.loop_state) for item in trace.feedback] == [
        (story.f1, "customers/7", api.LOOP_STATE_CONFIRMED),
        (story.f2, "customers/8", api.LOOP_STATE_PROTESTED),
    ]
    assert trace.feedback[0].told_time == day(6)
    assert not trace.feedback[1].HasField("told_time")
    assert (list(trace.needs), list(trace.offers)) == ([story.need], [OFFER])
    assert told(trace.steps)[:2] == ["ActionCommitted", "ActionCompleted"]
    assert (trace.value.after, trace.value.customer_count) == (to_message(5700, "EUR"), 2)


async def test_an_offer_is_traced_back_to_the_words(story: Story) -> None:
    """The need behind it, the feedback behind that, how it fared, and who is worth what now."""
    trace = await story.desk.ask("TraceOffer", api.TraceOfferRequest(name=OFFER))
    assert [item.feedback for item in trace.feedback] == [story.f1]
    assert (trace.feedback_count, list(trace.needs), list(trace.actions)) == (1, [story.need], [])
    assert (trace.presented_count, trace.accepted_count, trace.refused_count) == (2, 1, 1)
    assert told(trace.steps) == ["OfferDrafted", "OfferApproved", "OfferLaunched"]
    assert (trace.value.after, trace.value.customer_count) == (to_message(5000, "EUR"), 1)


@pytest.mark.parametrize("method", ["TraceFeedback", "TraceAction", "TraceOffer"])
async def test_what_is_not_there_has_no_way(desk: Desk, method: str) -> None:
    """A name that nobody has is NOT_FOUND, one that nobody can have is INVALID_ARGUMENT."""
    collection = {"TraceFeedback": "feedback", "TraceAction": "actions", "TraceOffer": "offers"}
    kind = getattr(api, f"{method}Request")
    error = await refused(desk.ask(method, kind(name=f"{collection[method]}/none")))
    assert error.code is StatusCode.NOT_FOUND
    error = await refused(desk.ask(method, kind(name="customers/7")))
    assert error.code is StatusCode.INVALID_ARGUMENT
