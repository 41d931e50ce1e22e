"""The customers service's views, folded from a log made by hand."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest
from equiloop.customers.v1 import events_pb2 as customers
from equiloop.feedback.v1 import community_events_pb2 as community
from equiloop.feedback.v1 import conversation_events_pb2 as conversation
from equiloop.feedback.v1 import events_pb2 as feedback
from equiloop.feedback.v1 import routing_events_pb2 as routing
from equiloop.offers.v1 import events_pb2 as offers
from google.protobuf.message import Message

from libs.contract.events import CODEC
from libs.kernel.money import to_message
from libs.kernel.values import timestamp
from services.customers.views import VIEWS
from services.customers.views.directory import list_names
from services.customers.views.timeline import CustomerTimeline, Entry, list_entries
from tests.contract.log import GAP, START, facts, folded, rows

ANNA, OTTO, ZOE = "customers/anna", "customers/otto", "customers/zoe"
NOW = timestamp(START)
THEN = timestamp(START - timedelta(days=3, microseconds=1))
THEN_MICROS = THEN.ToMicroseconds()


def registered(customer: str, *segments: str, cohort: str = "") -> customers.CustomerRegistered:
    return customers.CustomerRegistered(
        event_time=NOW,
        customer=customer,
        display_name="Somebody",
        email="somebody@example.org",
        cohort=cohort,
        segments=segments,
    )


def said(number: int, customer: str = "") -> feedback.FeedbackReceived:
    return feedback.FeedbackReceived(
        event_time=NOW,
        feedback=f"feedback/{number}",
        customer=customer,
        channel=feedback.CHANNEL_OFFER_RESPONSE,
        text="It squeaks, says Somebody",
        receive_time=THEN,
    )


def committed(*numbers: int) -> feedback.ActionCommitted:
    return feedback.ActionCommitted(
        event_time=NOW,
        action="actions/1",
        kind=feedback.ACTION_KIND_PROCESS_CHANGE,
        title="Oil it",
        owner="functions/research",
        feedback=[f"feedback/{number}" for number in numbers],
    )


LIFE: list[Message] = [
    registered(ANNA, "vip", cohort="1997-q1"),
    registered(OTTO, "vip", "b2b"),
    customers.CustomerUpdated(event_time=NOW, customer=ANNA, email="somebody@example.com"),
    customers.CustomerLabelled(event_time=NOW, customer=ANNA, segments=["b2b", "late"]),
    customers.CustomerManagerAssigned(
        event_time=NOW, customer=ANNA, customer_manager="managers/maria"
    ),
    customers.TransactionRecorded(
        event_time=NOW,
        transaction="transactions/1",
        customer=ANNA,
        amount=to_message(1250, "USD"),
        purchase_time=THEN,
    ),
    customers.TransactionRefunded(
        event_time=NOW,
        transaction="transactions/1",
        customer=ANNA,
        amount=to_message(50, "USD"),
        refund_time=THEN,
        reason="Somebody complained",
    ),
    said(1, ANNA),
    said(2, ANNA),
    said(3, OTTO),
    said(4),
    feedback.FeedbackCoded(
        event_time=NOW, feedback="feedback/1", customer=ANNA, themes=["noise"], sentiment=-0.5
    ),
    feedback.FeedbackCoded(event_time=NOW, feedback="feedback/4", themes=["noise"]),
    committed(1, 2, 4),
    feedback.ActionCompleted(
        event_time=NOW, action="actions/1", outcome="Oiled", feedback=["feedback/1", "feedback/2"]
    ),
    feedback.ActionDeclined(
        event_time=NOW, action="actions/2", reason="No oil", feedback=["feedback/3", "feedback/4"]
    ),
    feedback.LoopClosed(
        event_time=NOW,
        action="actions/1",
        feedback="feedback/2",
        channel=feedback.CHANNEL_PHONE,
        told_time=THEN,
    ),
    offers.OfferPresented(
        event_time=NOW,
        presentation="presentations/1",
        offer="offers/1",
        customer=ANNA,
        present_time=THEN,
        origin=offers.ORIGIN_PULLED,
    ),
    offers.OfferRefused(
        event_time=NOW,
        presentation="presentations/1",
        offer="offers/1",
        customer=ANNA,
        reason="Somebody is too loud",
        respond_time=THEN,
    ),
    offers.OfferAccepted(
        event_time=NOW,
        presentation="presentations/2",
        offer="offers/1",
        customer=OTTO,
        respond_time=THEN,
    ),
    registered(ZOE, "early"),
    customers.CustomerLabelled(event_time=NOW, customer=ZOE, cohort="1998-q1"),
    feedback.FeedbackCoded(event_time=NOW, feedback="feedback/5", customer=ZOE, sentiment=1),
]


@pytest.fixture
def db(tmp_path: Path) -> Iterator[apsw.Connection]:
    """The views after all of that."""
    with folded(tmp_path, VIEWS, facts(*LIFE)) as database, database.read() as connection:
        yield connection


def entries(db: apsw.Connection, customer: str, after: int = -1, limit: int = 100) -> list[Entry]:
    return list_entries(db, customer, after=after, limit=limit)


def test_the_timeline_tells_what_happened_to_a_customer(db: apsw.Connection) -> None:
    """Each entry names its resource and says in a few words what it was."""
    told = [(entry.resource, entry.summary) for entry in entries(db, ANNA)]
    assert told == [
        (ANNA, "registered"),
        (ANNA, "details corrected"),
        (ANNA, "cohort: none; segments: b2b, late"),
        (ANNA, "managers/maria answers for the relationship"),
        ("transactions/1", "bought for 12.50 USD"),
        ("transactions/1", "got 0.50 USD back"),
        ("feedback/1", "feedback by offer response"),
        ("feedback/2", "feedback by offer response"),
        ("feedback/1", "feedback coded: noise; sentiment -0.50"),
        ("actions/1", "functions/research committed to a process change"),
        ("actions/1", "action completed"),
        ("actions/1", "told by phone what became of it"),
        ("presentations/1", "shown offers/1 (pulled)"),
        ("presentations/1", "refused offers/1"),
    ]


def test_actions_reach_a_customer_through_the_feedback_alone(db: apsw.Connection) -> None:
    """Somebody else's action or answer is not told; feedback of nobody waits for its author."""
    told = [(entry.resource, entry.summary) for entry in entries(db, OTTO)]
    assert told == [
        (OTTO, "registered"),
        ("feedback/3", "feedback by offer response"),
        ("actions/2", "action declined"),
        ("presentations/2", "accepted offers/1"),
    ]
    assert {entry.resource for entry in entries(db, "")} == {"feedback/4"}


def test_feedback_moves_to_its_author(tmp_path: Path) -> None:
    """What nobody had said stands with its author once found, and moves on when he was mistaken."""
    found = feedback.FeedbackAttributed(event_time=NOW, feedback="feedback/1", customer=ANNA)
    mended = feedback.FeedbackAttributed(
        event_time=NOW, feedback="feedback/1", customer=OTTO, previous_customer=ANNA
    )
    done = feedback.ActionCompleted(event_time=NOW, action="actions/1", feedback=["feedback/1"])
    before = ["feedback by offer response", "feedback found its author"]
    for log, names in (
        ([said(1, ""), found], {ANNA: before, OTTO: []}),
        (
            [said(1, ""), found, mended, done],
            {ANNA: [], OTTO: [*before, "feedback found its author", "action completed"]},
        ),
    ):
        folder = tmp_path / str(len(log))
        with folded(folder, VIEWS, facts(*log)) as database, database.read() as db:
            for customer, told in names.items():
                assert [entry.summary for entry in entries(db, customer)] == told
            assert entries(db, "") == []


def test_what_there_is_none_of_is_said(db: apsw.Connection) -> None:
    """No segment and no theme are told as such."""
    told = [entry.summary for entry in entries(db, ZOE)]
    assert told[1:] == [
        "cohort: 1998-q1; segments: none",
        "feedback coded: no theme; sentiment +1.00",
    ]


def test_an_entry_leads_back_to_its_event(db: apsw.Connection) -> None:
    """Position, id and type are the event's; the time is when it happened, to the microsecond."""
    log = facts(*LIFE)
    for entry in entries(db, ANNA):
        recorded = log[entry.position // GAP - 1].recorded
        assert (entry.event, entry.type) == (recorded.id, recorded.type)
    told_later = {5, 6, 7, 11, 12, 13}
    times = [entry.time == THEN_MICROS for entry in entries(db, ANNA)]
    assert {index for index, then in enumerate(times) if then} == {4, *told_later}


def test_what_becomes_of_an_answer_is_told(tmp_path: Path) -> None:
    """Asked for, promised, widened, done, told, agreed with, protested, taken back: a line each."""
    about: dict[str, Any] = {"event_time": NOW, "action": "actions/1", "feedback": ["feedback/1"]}
    one = about | {"feedback": "feedback/1"}
    answered = one | {"customer": ANNA, "respond_time": THEN}
    log = [
        said(1, ANNA),
        feedback.ActionEscalated(
            kind=feedback.ACTION_KIND_ANSWER, owner="functions/service", **about
        ),
        feedback.ActionCommitted(
            kind=feedback.ACTION_KIND_ANSWER, owner="functions/service", commit_time=THEN, **about
        ),
        feedback.ActionLinked(**about),
        feedback.ActionCompleted(complete_time=THEN, **about),
        feedback.LoopClosed(channel=feedback.CHANNEL_EMAIL, told_time=THEN, **one),
        feedback.LoopConfirmed(words="Somebody is glad", **answered),
        feedback.LoopProtested(reason="Somebody is not glad any more", **answered),
        feedback.ActionReopened(reason="it squeaks again", **about),
        feedback.ActionDeclined(decline_time=THEN, **about),
    ]
    with folded(tmp_path, VIEWS, facts(*log)) as database, database.read() as db:
        told = [(entry.summary, entry.time == THEN_MICROS) for entry in entries(db, ANNA)]
    assert told == [
        ("feedback by offer response", True),
        ("functions/service asks for approval of an answer", False),
        ("functions/service committed to an answer", True),
        ("an action answers this feedback, too", False),
        ("action completed", True),
        ("told by email what became of it", True),
        ("agreed with what was told", True),
        ("protested against what was told", True),
        ("what was told holds no more", False),
        ("action declined", True),
    ]


def test_the_way_to_the_right_person_is_told(tmp_path: Path) -> None:
    """Sent, given back, sent on, taken on, late: a line each; nobody who works here is named."""
    about: dict[str, Any] = {"event_time": NOW, "feedback": "feedback/1", "function": "functions/a"}
    log = [
        said(1, ANNA),
        routing.FeedbackRouted(hop=1, by="people/somebody", **about),
        routing.RouteReturned(hop=1, by="people/somebody", reason="Somebody else's", **about),
        routing.RouteAccepted(hop=2, by="people/somebody", **about),
        routing.LoopSlaBreached(sla="slas/all", stage=routing.LOOP_STAGE_CLOSE, **about),
        routing.FeedbackEscalated(to="managers/somebody", level=2, **about),
    ]
    with folded(tmp_path, VIEWS, facts(*log)) as database, database.read() as db:
        told = [entry.summary for entry in entries(db, ANNA)[1:]]
    assert told == [
        "went to functions/a",
        "given back by functions/a",
        "taken on by functions/a",
        "deadline to close missed",
        "missed deadline taken up to level 2",
    ]


def test_what_was_said_to_each_other_is_told(tmp_path: Path) -> None:
    """Turns of both sides, questions and answers of members: a line each, without the words."""

    def turn(side: conversation.Side.ValueType) -> conversation.Turn:
        return conversation.Turn(
            turn="conversations/1/turns/1",
            customer=ANNA,
            said_by=side,
            function="functions/service",
            channel=feedback.CHANNEL_EMAIL,
            text="Somebody's words",
            say_time=THEN,
        )

    us, them = conversation.SIDE_ORGANISATION, conversation.SIDE_CUSTOMER
    where: dict[str, Any] = {"event_time": NOW, "conversation": "conversations/1"}
    asked: dict[str, Any] = {"event_time": NOW, "question": "questions/1"}
    log = [
        conversation.MessageReceived(turn=turn(them), **where),
        conversation.MessageSent(turn=turn(us), **where),
        conversation.InformationRequested(turn=turn(us), **where),
        conversation.InformationGiven(turn=turn(them), **where),
        community.QuestionAsked(asker=ANNA, text="Somebody's words", ask_time=THEN, **asked),
        community.AnswerGiven(member="employees/somebody", answer_time=THEN, **asked),
        community.AnswerGiven(member=ANNA, text="Somebody's words", answer_time=THEN, **asked),
    ]
    with folded(tmp_path, VIEWS, facts(*log)) as database, database.read() as db:
        told = [(entry.resource, entry.summary, entry.time) for entry in entries(db, ANNA)]
    assert told == [
        ("conversations/1", "wrote or spoke by email", THEN_MICROS),
        ("conversations/1", "functions/service wrote or spoke by email", THEN_MICROS),
        ("conversations/1", "functions/service asked for information by email", THEN_MICROS),
        ("conversations/1", "gave information by email", THEN_MICROS),
        ("questions/1", "asked other members", THEN_MICROS),
        ("questions/1", "answered another member", THEN_MICROS),
    ]


def test_the_timeline_is_read_in_pages(db: apsw.Connection) -> None:
    """A page begins after a position and has as many entries as are asked for."""
    whole = entries(db, ANNA)
    page = entries(db, ANNA, after=whole[3].position, limit=5)
    assert page == whole[4:9]


def test_nothing_personal_is_in_a_view(tmp_path: Path) -> None:
    """Names, addresses and what customers said stay in the log."""
    with folded(tmp_path, VIEWS, facts(*LIFE)) as database:
        kept = repr(rows(database, VIEWS)).lower()
    assert "transactions/1" in kept
    for personal in ("somebody", "example", "squeaks", "loud"):
        assert personal not in kept


def test_every_event_of_customers_is_told() -> None:
    """An event that names a customer or feedback and is not told would be forgotten silently."""
    about_customers = {
        event
        for event in CODEC.types.values()
        if not {"customer", "feedback"}.isdisjoint(event.DESCRIPTOR.fields_by_name)
    }
    untold = about_customers - CustomerTimeline.handles
    assert untold == {offers.OfferDrafted}  # an offer is made to all; it reaches those it is shown


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ({}, [ANNA, OTTO, ZOE]),
        ({"after": ANNA}, [OTTO, ZOE]),
        ({"limit": 1}, [ANNA]),
        ({"cohort": "1997-q1"}, []),
        ({"cohort": "1998-q1"}, [ZOE]),
        ({"segment": "early"}, []),
        ({"segment": "b2b"}, [ANNA, OTTO]),
        ({"segment": "vip"}, [OTTO]),
        ({"customer_manager": "managers/maria"}, [ANNA]),
        ({"segment": "b2b", "customer_manager": "managers/maria"}, [ANNA]),
        ({"segment": "vip", "customer_manager": "managers/maria"}, []),
    ],
    ids=str,
)
def test_the_directory_knows_present_labels(
    db: apsw.Connection, by: dict[str, str | int], expected: list[str]
) -> None:
    """Labels that were replaced count no longer; conditions hold together."""
    asked = {"after": "", "limit": 10, "cohort": "", "segment": "", "customer_manager": ""} | by
    assert list_names(db, **asked) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("batch", [1, 2, 3, 7])
def test_batches_do_not_matter(tmp_path: Path, batch: int) -> None:
    """However the log is cut into batches, the rows are the same."""
    log = facts(*LIFE)
    with (
        folded(tmp_path / "whole", VIEWS, log) as whole,
        folded(tmp_path / "parts", VIEWS, log, batch) as parts,
    ):
        assert rows(parts, VIEWS) == rows(whole, VIEWS)
