"""What may become of a customer."""

from datetime import timedelta
from typing import Any

import pytest
from equiloop.customers.v1 import events_pb2 as events
from equiloop.customers.v1 import service_pb2 as api
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from libs.contract.parse import parse
from libs.kernel.refusals import AlreadyExists, Invalid, NotFound
from libs.kernel.values import timestamp
from services.customers.domain.customer import (
    AssignCustomerManager,
    Correction,
    ImportCustomer,
    LabelCustomer,
    RegisterCustomer,
    UpdateCustomer,
    decide,
)
from services.customers.service.means import CUSTOMER
from tests.specs.given import NOW, given

LATER = NOW + timedelta(days=3)
ANNA = "customers/anna"
REGISTER = RegisterCustomer(
    customer_id="anna",
    display_name="Anna Berg",
    email="anna@example.org",
    language_code="sv",
    cohort="1997-q1",
    segments=("vip", "early"),
    source="shop",
    source_id="7",
)


def registered(**other: Any) -> events.CustomerRegistered:
    content: dict[str, Any] = {
        "event_time": timestamp(NOW),
        "customer": ANNA,
        "display_name": "Anna Berg",
        "email": "anna@example.org",
        "language_code": "sv",
        "cohort": "1997-q1",
        "segments": ["early", "vip"],
        "source": "shop",
        "source_id": "7",
    }
    return events.CustomerRegistered(**content | other)


def updated(**other: Any) -> events.CustomerUpdated:
    content: dict[str, Any] = {
        "event_time": timestamp(NOW),
        "customer": ANNA,
        "display_name": "Anna Berg",
        "email": "anna@example.org",
        "language_code": "sv",
    }
    return events.CustomerUpdated(**content | other)


def labelled(cohort: str = "", *segments: str) -> events.CustomerLabelled:
    return events.CustomerLabelled(
        event_time=timestamp(NOW), customer=ANNA, cohort=cohort, segments=segments
    )


def assigned(manager: str, previous: str = "") -> events.CustomerManagerAssigned:
    return events.CustomerManagerAssigned(
        event_time=timestamp(NOW),
        customer=ANNA,
        customer_manager=manager,
        previous_customer_manager=previous,
    )


def correct(*paths: str, **fields: str) -> UpdateCustomer:
    wanted = Correction.model_validate({"name": ANNA, **fields})
    return UpdateCustomer(customer=wanted, update_mask=frozenset(paths))


def wrong_fields(model: type[Any], message: Message, **more: str) -> set[str]:
    with pytest.raises(Invalid) as caught:
        parse(model, message, **more)
    return {violation.field for violation in caught.value.violations}


def test_a_customer_becomes_known_with_distinct_sorted_segments() -> None:
    """Registration says all that was given, segments once each and in order."""
    given(CUSTOMER).when(decide, REGISTER).then(registered())
    twice = REGISTER.model_copy(update={"segments": ("vip", "early", "vip")})
    again = RegisterCustomer.model_validate(twice.model_dump())
    given(CUSTOMER).when(decide, again).then(registered())


def test_nothing_but_an_id_is_needed() -> None:
    """A customer of whom nothing is known yet can be registered."""
    command = RegisterCustomer(customer_id="anna")
    bare = events.CustomerRegistered(event_time=timestamp(NOW), customer=ANNA)
    given(CUSTOMER).when(decide, command).then(bare)


@pytest.mark.parametrize(
    "since",
    [
        [],
        [updated(email="anna@example.com")],
        [labelled("1998-q1", "late")],
        [assigned("managers/maria")],
    ],
    ids=["nothing", "a correction", "labels", "a manager"],
)
def test_registering_the_same_again_changes_nothing(since: list[Message]) -> None:
    """A re-run of an import finds its customer, whatever happened to the customer since."""
    given(CUSTOMER, registered(), *since).when(decide, REGISTER, now=LATER).then()


@pytest.mark.parametrize(
    "other",
    [{"email": "b@example.org"}, {"segments": ()}, {"source_id": "8"}, {"cohort": None}],
    ids=["email", "segments", "source_id", "cohort"],
)
def test_an_id_is_taken_by_its_first_content(other: dict[str, Any]) -> None:
    """Other content under the same id is refused, even what the customer became since."""
    command = REGISTER.model_copy(update=other)
    happened = registered(), updated(email="b@example.org"), labelled("1997-q1")
    outcome = given(CUSTOMER, *happened).when(decide, command)
    outcome.refused(AlreadyExists, "CUSTOMER_EXISTS", customer=ANNA)


def test_an_update_changes_the_fields_of_its_mask() -> None:
    """Fields outside the mask stay as they are, and the event carries them all."""
    command = correct("email", email="anna@example.com", display_name="Somebody else")
    given(CUSTOMER, registered()).when(decide, command).then(updated(email="anna@example.com"))


@pytest.mark.parametrize("paths", [[], ["*"], ["*", "email"]], ids=["empty", "star", "star and"])
def test_an_update_without_a_mask_replaces_all(paths: list[str]) -> None:
    """Without a mask, or with `*`, a field that is not given is emptied."""
    command = correct(*paths, display_name="Anna B.")
    expected = updated(display_name="Anna B.", email="", language_code="")
    given(CUSTOMER, registered()).when(decide, command).then(expected)


def test_an_update_builds_on_the_one_before() -> None:
    """What an earlier correction set is kept."""
    happened = registered(), updated(email="anna@example.com")
    outcome = given(CUSTOMER, *happened).when(decide, correct("language_code", language_code="en"))
    outcome.then(updated(email="anna@example.com", language_code="en"))


def test_an_update_to_what_is_so_changes_nothing() -> None:
    """A correction that corrects nothing leaves no trace."""
    given(CUSTOMER, registered()).when(decide, correct("email", email="anna@example.org")).then()


def test_labels_replace_labels() -> None:
    """Cohort and segments are set together; what is not given is gone."""
    command = LabelCustomer(name=ANNA, segments=("late", "b2b"))
    given(CUSTOMER, registered()).when(decide, command).then(labelled("", "b2b", "late"))


def test_the_same_labels_change_nothing() -> None:
    """Labels that a customer has already, from the first day or since, leave no trace."""
    first = LabelCustomer(name=ANNA, cohort="1997-q1", segments=("vip", "early"))
    given(CUSTOMER, registered()).when(decide, first).then()
    second = LabelCustomer(name=ANNA, cohort="1998-q1")
    given(CUSTOMER, registered()).when(decide, second).then(labelled("1998-q1"))
    happened = registered(), labelled("1998-q1")
    given(CUSTOMER, *happened).when(decide, second).then()
    given(CUSTOMER, *happened).when(decide, first).then(labelled("1997-q1", "early", "vip"))


def test_the_last_change_is_known() -> None:
    """Each event moves the time of the last change."""
    changes: list[Any] = [registered(), updated(), labelled(), assigned("managers/maria")]
    for count, event in enumerate(changes, 1):
        event.event_time.CopyFrom(timestamp(NOW + timedelta(days=count)))
        assert given(CUSTOMER, *changes[:count]).state.changed == event.event_time


def test_exactly_one_manager_answers() -> None:
    """A new manager replaces the one before, who is named; the same one again is no news."""
    maria = AssignCustomerManager(name=ANNA, customer_manager="managers/maria")
    otto = AssignCustomerManager(name=ANNA, customer_manager="managers/otto")
    known = registered()
    given(CUSTOMER, known).when(decide, maria).then(assigned("managers/maria"))
    happened = known, assigned("managers/maria")
    given(CUSTOMER, *happened).when(decide, maria).then()
    given(CUSTOMER, *happened).when(decide, otto).then(assigned("managers/otto", "managers/maria"))
    handed_back = *happened, assigned("managers/otto", "managers/maria")
    given(CUSTOMER, *handed_back).when(decide, maria).then(
        assigned("managers/maria", "managers/otto")
    )


@pytest.mark.parametrize(
    "command",
    [
        correct("email", email="a@example.org"),
        LabelCustomer(name=ANNA),
        AssignCustomerManager(name=ANNA, customer_manager="managers/maria"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_customer_must_be_known_to_change(command: Any) -> None:
    """Nothing happens to a customer who was never registered."""
    given(CUSTOMER).when(decide, command).refused(NotFound, resource=ANNA)


def test_every_wrong_field_of_a_registration_is_named() -> None:
    """All violations come at once, each with its path."""
    message = api.RegisterCustomerRequest(
        display_name="x" * 201,
        email="x" * 255,
        language_code="Swedish!",
        cohort="Q 1",
        segments=["fine", "Not fine"],
        source_id="7",
        request_id="not a uuid",
    )
    assert wrong_fields(RegisterCustomer, message, customer_id="Anna") == {
        "customer_id",
        "display_name",
        "email",
        "language_code",
        "cohort",
        "segments[1]",
        "source_id",
        "request_id",
    }


def test_at_most_twenty_segments() -> None:
    """The twenty-first segment is one too many; a repeated one does not count."""
    twenty = [f"s{number:02d}" for number in range(20)]
    message = api.LabelCustomerRequest(name=ANNA, segments=[*twenty, "s00"])
    assert len(parse(LabelCustomer, message).segments) == 20
    message.segments.append("s20")
    assert wrong_fields(LabelCustomer, message) == {"segments"}


def test_an_import_needs_its_source() -> None:
    """Without source and source_id an item could not be known again."""
    message = api.RegisterCustomerRequest(customer_id="anna")
    assert wrong_fields(ImportCustomer, message) == {"source", "source_id"}


def test_a_mask_names_only_what_can_be_corrected() -> None:
    """Unknown and immutable paths are refused, and named by name."""
    message = api.UpdateCustomerRequest(
        customer=api.Customer(name=ANNA, etag="x"),
        update_mask=FieldMask(paths=["email", "cohort", "shoe_size"]),
    )
    with pytest.raises(Invalid) as caught:
        parse(UpdateCustomer, message)
    said = {violation.field: violation.description for violation in caught.value.violations}
    assert said.keys() == {"customer.etag", "update_mask"}
    assert "'cohort', 'shoe_size'" in said["update_mask"]
    assert wrong_fields(UpdateCustomer, api.UpdateCustomerRequest()) == {"customer"}
