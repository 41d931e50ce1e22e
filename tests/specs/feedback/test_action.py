"""Actions: promised within somebody's authority, kept or taken back, and never forgotten."""

from datetime import date, timedelta
from typing import Any

import pytest
from equiloop.feedback.v1 import events_pb2 as events
from google.protobuf.message import Message
from google.type.date_pb2 import Date
from pydantic import ValidationError

from libs.contract.parse import violations
from libs.kernel.money import Money
from libs.kernel.refusals import AlreadyExists, Invalid, NotFound, Refusal
from services.feedback.domain.promise import (
    ApproveAction,
    Authority,
    CommitAction,
    CompleteAction,
    DeclineAction,
    LinkFeedback,
    PromiseCommand,
    ReopenAction,
    decide,
)
from services.feedback.service.means import ACTION
from tests.specs.feedback.facts import (
    COST,
    LIMIT,
    closed,
    committed,
    completed,
    confirmed,
    declined,
    escalated,
    linked,
    protested,
    reopened,
)
from tests.specs.given import NOW, given

YESTERDAY, LATER = NOW - timedelta(days=1), NOW + timedelta(days=3)
COMPLETE = CompleteAction(name="actions/1", outcome="the battery lasts two days")
DECLINE = DeclineAction(name="actions/1", reason="it would weigh too much")
REOPEN = ReopenAction(name="actions/1", reason="the batteries swell", by="managers/maria")
GRANTED = Authority(granted=True, limit=Money(currency_code="EUR", minor=900_000))
OVER = Authority(granted=False, limit=LIMIT, escalate_to="managers/otto")
COSTLY: dict[str, Any] = {"cost": COST, "committed_by": "managers/maria"}


def commit(*feedback: str, **fields: Any) -> CommitAction:
    usual = {
        "action": "actions/1",
        "kind": events.ACTION_KIND_PRODUCT_CHANGE,
        "title": "a larger battery",
        "owner": "functions/research",
        "feedback": [f"feedback/{key}" for key in feedback],
    }
    return CommitAction.model_validate(usual | fields)


def approve(authority: Authority = GRANTED) -> ApproveAction:
    return ApproveAction(name="actions/1", approved_by="managers/otto", authority=authority)


def link(*feedback: str, **fields: Any) -> LinkFeedback:
    usual = {"name": "actions/1", "feedback": [f"feedback/{key}" for key in feedback]}
    return LinkFeedback.model_validate(usual | fields)


PROMISED = committed("1", "a", "b", "c")
ASKED = escalated("1", "a", "b", "c")
DONE = completed("1", "a", "b", "c")
REFUSED = declined("1", "a", "b", "c")


def test_an_action_answers_many_items() -> None:
    """What is promised names each item once, sorted."""
    given(ACTION).when(decide, commit("c", "a", "b", "a")).then(PROMISED)


def test_an_action_may_answer_needs_and_have_a_day() -> None:
    """Needs alone are reason enough; the due day is kept as a day."""
    expected = committed("1", needs=["needs/4", "needs/9"])
    expected.due_date.CopyFrom(Date(year=2024, month=6, day=30))
    command = commit(needs=["needs/9", "needs/4"], due_date=date(2024, 6, 30))
    given(ACTION).when(decide, command).then(expected)


def test_an_offer_may_be_the_action() -> None:
    """An action of kind OFFER says which offer it is; another kind cannot."""
    offer: dict[str, Any] = {"kind": events.ACTION_KIND_OFFER, "offer": "offers/9"}
    given(ACTION).when(decide, commit("a", **offer)).then(committed("1", "a", **offer))


def test_a_promise_may_have_been_made_before() -> None:
    """The time at which it was promised may lie before that of recording it."""
    command = commit("a", commit_time=YESTERDAY)
    given(ACTION).when(decide, command).then(committed("1", "a", promised=YESTERDAY))


@pytest.mark.parametrize("before", [PROMISED, ASKED], ids=["promised", "asked for"])
def test_an_action_is_promised_once(before: Message) -> None:
    """The same action cannot be committed again, with the same content neither."""
    outcome = given(ACTION, before).when(decide, commit("a", "b", "c"))
    outcome.refused(AlreadyExists, "ACTION_EXISTS", action="actions/1")


def test_whoever_has_the_authority_commits() -> None:
    """Within the limit the promise is made, with its cost and who answers for it."""
    expected = committed("1", "a", cost=COST.message(), committed_by="managers/maria")
    given(ACTION).when(decide, commit("a", authority=GRANTED, **COSTLY)).then(expected)


@pytest.mark.parametrize(
    ("authority", "expected"),
    [
        ({"authority": OVER}, {}),
        ({}, {"limit": None, "escalated_to": ""}),
        ({"authority": Authority(granted=False)}, {"limit": None, "escalated_to": ""}),
    ],
    ids=["over the limit", "not looked at", "nobody has it"],
)
def test_what_is_over_the_authority_is_not_promised(
    authority: dict[str, Any], expected: dict[str, Any]
) -> None:
    """It is escalated to whoever may approve, with the limit that it breaks, if there are any."""
    outcome = given(ACTION).when(decide, commit("c", "a", "b", **COSTLY, **authority))
    outcome.then(escalated("1", "a", "b", "c", **expected))


def test_what_costs_nothing_needs_no_authority() -> None:
    """Who commits may be named without a cost, and nobody's limit is looked at."""
    outcome = given(ACTION).when(decide, commit("a", committed_by="managers/maria"))
    outcome.then(committed("1", "a", committed_by="managers/maria"))


def test_whoever_has_the_authority_approves() -> None:
    """The promise is made as it was asked for, links since then included, and says who approved."""
    before = escalated("1", "b", needs=["needs/4"], due_date=Date(year=2024, month=6, day=30))
    expected = committed(
        "1",
        "a",
        "b",
        at=LATER,
        needs=["needs/4"],
        due_date=Date(year=2024, month=6, day=30),
        cost=COST.message(),
        committed_by="managers/maria",
        approved_by="managers/otto",
    )
    given(ACTION, before, linked("1", "a")).when(decide, approve(), now=LATER).then(expected)


def test_whoever_has_not_the_authority_cannot_approve() -> None:
    """The refusal names cost, limit, and who may; nothing is promised."""
    outcome = given(ACTION, ASKED).when(decide, approve(OVER))
    outcome.refused(
        Refusal,
        "OVER_AUTHORITY",
        manager="managers/otto",
        cost="5000.00 EUR",
        limit="1000.00 EUR",
        escalate_to="managers/otto",
    )
    given(ACTION, ASKED).when(decide, approve(Authority(granted=False))).refused(
        Refusal, "OVER_AUTHORITY", limit="", escalate_to=""
    )


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ([PROMISED], "NOT_ESCALATED"),
        ([ASKED, PROMISED], "NOT_ESCALATED"),
        ([ASKED, REFUSED], "ACTION_ENDED"),
        ([PROMISED, DONE], "ACTION_ENDED"),
    ],
)
def test_what_does_not_wait_cannot_be_approved(before: list[Message], reason: str) -> None:
    """Approval is for what waits for it, once."""
    given(ACTION, *before).when(decide, approve()).refused(Refusal, reason, action="actions/1")


def test_what_waits_for_approval_cannot_be_done() -> None:
    """Nobody has committed to it, so nobody can have done it; it can be refused."""
    given(ACTION, ASKED).when(decide, COMPLETE).refused(Refusal, "NOT_COMMITTED")
    given(ACTION, ASKED).when(decide, DECLINE).then(REFUSED)


def test_what_was_refused_before_it_was_approved_waits_again() -> None:
    """Reopening is no way around authority: what nobody committed to is not committed to now."""
    before = (ASKED, REFUSED)
    given(ACTION, *before).when(decide, REOPEN).then(reopened("1", awaits_approval=True))
    again = given(ACTION, *before, reopened("1", awaits_approval=True))
    again.when(decide, COMPLETE).refused(Refusal, "NOT_COMMITTED")
    again.when(decide, approve(OVER)).refused(Refusal, "OVER_AUTHORITY")
    promised = committed(
        "1",
        "a",
        "b",
        "c",
        cost=COST.message(),
        committed_by="managers/maria",
        approved_by="managers/otto",
    )
    again.when(decide, approve()).then(promised)


@pytest.mark.parametrize(("command", "expected"), [(COMPLETE, DONE), (DECLINE, REFUSED)])
def test_a_promise_ends_one_way_or_the_other(command: PromiseCommand, expected: Message) -> None:
    """A committed action is completed or declined, and the event names the items it answers."""
    given(ACTION, PROMISED).when(decide, command).then(expected)


@pytest.mark.parametrize("end", [DONE, REFUSED], ids=["completed", "declined"])
@pytest.mark.parametrize("command", [COMPLETE, DECLINE], ids=["complete", "decline"])
def test_an_end_is_an_end(command: PromiseCommand, end: Message) -> None:
    """What was completed or declined can be neither completed nor declined."""
    outcome = given(ACTION, PROMISED, end).when(decide, command)
    outcome.refused(Refusal, "ACTION_ENDED", action="actions/1")


@pytest.mark.parametrize(
    "command",
    [COMPLETE, DECLINE, REOPEN, link("a"), approve()],
    ids=["complete", "decline", "reopen", "link", "approve"],
)
def test_what_was_never_promised_is_not_found(command: PromiseCommand) -> None:
    """Nothing can be done to an action that nobody committed to."""
    given(ACTION).when(decide, command).refused(NotFound, resource="actions/1")


@pytest.mark.parametrize(
    "before", [(ASKED,), (PROMISED,), (PROMISED, DONE)], ids=["asked for", "promised", "done"]
)
def test_more_can_be_linked(before: tuple[Message, ...]) -> None:
    """Whether it waits, stands or is done: only what is new is linked; nothing new: no event."""
    given(ACTION, *before).when(decide, link("z", "a")).then(linked("1", "z"))
    given(ACTION, *before).when(decide, link("c", "a")).then()
    given(ACTION, *before, linked("1", "z")).when(decide, link("z")).then()
    needed = linked("1")
    needed.needs.append("needs/4")
    given(ACTION, *before).when(decide, link("a", needs=["needs/4"])).then(needed)
    given(ACTION, *before, needed).when(decide, link(needs=["needs/4"])).then()


def test_nothing_is_linked_to_a_refusal() -> None:
    """What will not be done answers nobody else; taken back, it may."""
    given(ACTION, PROMISED, REFUSED).when(decide, link("z")).refused(Refusal, "ACTION_ENDED")
    again = given(ACTION, PROMISED, REFUSED, reopened("1"))
    again.when(decide, link("z")).then(linked("1", "z"))


def test_what_was_linked_later_is_answered_too() -> None:
    """The end names all that is linked by then."""
    before = (PROMISED, linked("1", "z"))
    expected = completed("1", "a", "b", "c", "z")
    given(ACTION, *before).when(decide, COMPLETE).then(expected)


def test_an_action_answers_a_thousand_at_most() -> None:
    """In all, not only at once: the thousand-and-first is refused, with the bound."""
    full = committed("1", *(f"{number}" for number in range(999)))
    given(ACTION, full).when(decide, link("x")).then(linked("1", "x"))
    outcome = given(ACTION, full).when(decide, link("x", "y"))
    outcome.refused(Refusal, "TOO_MANY_LINKS", most="1000")


def test_what_ended_can_be_reopened() -> None:
    """All loops that it holds closed are open again; one that was protested is open already."""
    told = (closed("1", "a"), closed("1", "b"), confirmed("1", "b"), protested("1", "a"))
    given(ACTION, PROMISED, DONE, *told).when(decide, REOPEN).then(reopened("1", "b"))
    given(ACTION, PROMISED, REFUSED).when(decide, REOPEN).then(reopened("1"))


@pytest.mark.parametrize("before", [(ASKED,), (PROMISED,), (PROMISED, DONE, reopened("1"))])
def test_what_stands_cannot_be_reopened(before: tuple[Message, ...]) -> None:
    """Only an end can be taken back, and once."""
    given(ACTION, *before).when(decide, REOPEN).refused(Refusal, "NOT_ENDED", action="actions/1")


def test_what_was_reopened_ends_anew() -> None:
    """It stands as before: it may be done, or refused, and then taken back again."""
    again = given(ACTION, PROMISED, DONE, reopened("1"))
    again.when(decide, COMPLETE).then(DONE)
    again.when(decide, DECLINE).then(REFUSED)


TIMES = [
    (CompleteAction(name="actions/1", outcome="done", complete_time=YESTERDAY), "complete_time"),
    (DeclineAction(name="actions/1", reason="no", decline_time=YESTERDAY), "decline_time"),
]


@pytest.mark.parametrize(("command", "field"), TIMES, ids=["completed", "declined"])
def test_an_end_may_have_come_before_it_is_recorded(command: PromiseCommand, field: str) -> None:
    """It has a time of its own: since the promise, or since it was reopened, and not to come."""
    early = committed("1", promised=YESTERDAY)
    outcome = given(ACTION, early).when(decide, command)
    (end,) = outcome.events
    assert getattr(end, field).ToDatetime() == YESTERDAY.replace(tzinfo=None)
    for before in ((PROMISED,), (early, completed("1", done=YESTERDAY), reopened("1"))):
        refused = given(ACTION, *before).when(decide, command).refusal
        assert isinstance(refused, Invalid)
        assert {violation.field for violation in refused.violations} == {field}


def test_nothing_has_happened_in_the_future() -> None:
    """A day ahead of our clock is a clock that runs fast; more is refused, by its field."""
    for field, at in (
        ("commit_time", commit("a", commit_time=LATER)),
        ("complete_time", COMPLETE.model_copy(update={"complete_time": LATER})),
        ("decline_time", DECLINE.model_copy(update={"decline_time": LATER})),
    ):
        before = () if field == "commit_time" else (PROMISED,)
        refused = given(ACTION, *before).when(decide, at).refusal
        assert isinstance(refused, Invalid)
        assert {violation.field for violation in refused.violations} == {field}


def test_clocks_that_run_apart_do_not_turn_time_around() -> None:
    """Recorded by a host whose clock is behind, an end is not before its promise."""
    ahead = committed("1", at=LATER)
    outcome = given(ACTION, ahead).when(decide, COMPLETE, now=NOW)
    outcome.then(completed("1", at=NOW, done=LATER))


def test_the_oldest_events_know_only_when_they_were_recorded() -> None:
    """A promise without a time of its own was made when it was recorded."""
    old = committed("1", "a")
    old.ClearField("commit_time")
    before = CompleteAction(name="actions/1", outcome="done", complete_time=YESTERDAY)
    assert isinstance(given(ACTION, old).when(decide, before).refusal, Invalid)
    given(ACTION, old).when(decide, COMPLETE).then(completed("1", "a"))


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"feedback": []}, {"feedback"}),
        ({"feedback": ["feedback/a", "customers/7"]}, {"feedback[1]"}),
        ({"feedback": [f"feedback/{i}" for i in range(1001)]}, {"feedback"}),
        ({"title": " ", "owner": "people/7"}, {"title", "owner"}),
        ({"title": "x" * 501, "kind": 0}, {"title", "kind"}),
        ({"needs": ["feedback/a"]}, {"needs[0]"}),
        ({"cost": COST}, {"committed_by"}),
        (
            {"cost": {"currency_code": "EUR", "minor": 0}, "committed_by": "maria"},
            {"cost", "committed_by"},
        ),
        ({"cost": {"currency_code": "EUR", "minor": -1}}, {"cost"}),
        ({"offer": "offers/9"}, {"offer"}),
        ({"offer": "feedback/9", "kind": events.ACTION_KIND_OFFER}, {"offer"}),
    ],
)
def test_what_cannot_be_promised(fields: dict[str, Any], wrong: set[str]) -> None:
    """A promise answers somebody, says something, has an owner, and somebody for its cost."""
    with pytest.raises(ValidationError) as caught:
        commit("a", **fields)
    assert {violation.field for violation in violations(caught.value)} == wrong


@pytest.mark.parametrize("words", ["", "  ", "x" * 2001], ids=["none", "blank", "too long"])
def test_an_end_needs_words(words: str) -> None:
    """An outcome and a reason say something, in at most 2,000 characters."""
    for model, field in ((CompleteAction, "outcome"), (DeclineAction, "reason")):
        with pytest.raises(ValidationError, match=field):
            model.model_validate({"name": "actions/1", field: words})
    with pytest.raises(ValidationError, match="reason"):
        ReopenAction(name="actions/1", reason=words, by="managers/maria")


def test_who_acts_has_a_name() -> None:
    """Whoever reopens is called by a resource name, never by what people call him."""
    for by in ("", "Maria Berg", "maria", "Managers/maria", "managers/"):
        with pytest.raises(ValidationError, match="by"):
            ReopenAction(name="actions/1", reason="no", by=by)
    with pytest.raises(ValidationError, match="feedback"):
        link()
