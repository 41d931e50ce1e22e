"""Customers as callers of the service meet them: a real process, over gRPC."""

from typing import Any
from uuid import uuid4

import grpc
from equiloop.customers.v1 import service_pb2 as api
from google.protobuf.field_mask_pb2 import FieldMask

from libs.kernel.values import derived_id
from tests.system.services.acts import label, register
from tests.system.services.processes import Refused, Services, position, refused, unique

NOT_FOUND = grpc.StatusCode.NOT_FOUND
INVALID = grpc.StatusCode.INVALID_ARGUMENT


# Registering


def test_a_customer_is_answered_as_registered(services: Services) -> None:
    """What was given comes back, from the call and from GetCustomer alike."""
    key = unique("c")
    customer = register(
        services,
        customer_id=key,
        display_name="Anna",
        email="anna@example.org",
        language_code="sv-SE",
        cohort="1997-q1",
        segments=["vip", "early"],
        source="shop",
        source_id="7",
    )
    assert customer.create_time == customer.update_time
    assert customer == api.Customer(
        name=f"customers/{key}",
        display_name="Anna",
        email="anna@example.org",
        language_code="sv-SE",
        cohort="1997-q1",
        segments=["early", "vip"],
        source="shop",
        source_id="7",
        create_time=customer.create_time,
        update_time=customer.create_time,
        etag="0",
    )
    got = services.customers.GetCustomer(api.GetCustomerRequest(name=customer.name))
    assert got == customer


def test_a_name_follows_from_the_source_or_else_from_the_request(services: Services) -> None:
    """Without an id of its own a customer is known by where it came from, or by the request."""
    source = unique("shop")
    known = register(services, customer_id="", source=source, source_id="7")
    assert known.name == "customers/" + derived_id("customer", source, "7")
    request_id = str(uuid4())
    first = register(services, customer_id="", request_id=request_id)
    again = register(services, customer_id="", request_id=request_id)
    assert first == again
    assert register(services, customer_id="").name != first.name


def test_the_same_content_changes_nothing_and_other_content_is_refused(services: Services) -> None:
    """An id stands for the content that it was registered with."""
    key = unique("c")
    first = register(services, customer_id=key, cohort="a")
    assert register(services, customer_id=key, cohort="a") == first
    how = refused(lambda: register(services, customer_id=key, cohort="b"))
    assert how == Refused(
        grpc.StatusCode.ALREADY_EXISTS, "CUSTOMER_EXISTS", {"customer": first.name}
    )


def test_every_wrong_field_is_named_and_nothing_is_kept(services: Services) -> None:
    """A request that is wrong in many ways is refused once, completely, and leaves no trace."""
    key = unique("c")
    how = refused(
        lambda: register(
            services, customer_id=key, cohort="Q 1", segments=["ok", "N O"], request_id="7"
        )
    )
    assert (how.code, how.reason) == (INVALID, "INVALID_ARGUMENT")
    assert how.fields.keys() == {"cohort", "segments[1]", "request_id"}
    name = f"customers/{key}"
    found = refused(lambda: services.customers.GetCustomer(api.GetCustomerRequest(name=name)))
    assert found == Refused(NOT_FOUND, "NOT_FOUND", {"resource": name})


def test_a_request_id_gives_the_first_answer(services: Services) -> None:
    """Whatever happened since, the same request is answered as it was, and done once."""
    key, request_id = unique("c"), str(uuid4())
    first = register(services, customer_id=key, cohort="a", request_id=request_id)
    label(services, first.name, cohort="b")
    assert register(services, customer_id=key, cohort="a", request_id=request_id) == first
    how = refused(lambda: register(services, customer_id=key, cohort="c", request_id=request_id))
    assert (how.code, how.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    got = services.customers.GetCustomer(api.GetCustomerRequest(name=first.name))
    assert (got.cohort, got.etag) == ("b", "1")


# Changing


def test_an_update_changes_what_its_mask_names(services: Services) -> None:
    """The customer comes back as it now is, one revision on."""
    customer = register(services, display_name="Anna", email="a@example.org")
    wanted = api.Customer(name=customer.name, email="b@example.org", etag="0", cohort="x")
    updated = services.customers.UpdateCustomer(
        api.UpdateCustomerRequest(customer=wanted, update_mask=FieldMask(paths=["email"]))
    )
    assert updated.update_time.ToNanoseconds() > customer.create_time.ToNanoseconds()
    customer.email, customer.etag = "b@example.org", "1"
    customer.update_time.CopyFrom(updated.update_time)
    assert updated == customer


def test_an_unknown_path_is_named(services: Services) -> None:
    """A mask with a path that cannot be changed is refused at update_mask."""
    request = api.UpdateCustomerRequest(
        customer=api.Customer(name=register(services).name),
        update_mask=FieldMask(paths=["email", "shoe_size"]),
    )
    how = refused(lambda: services.customers.UpdateCustomer(request))
    assert how.code == INVALID
    assert "shoe_size" in how.fields["update_mask"]


def test_a_stale_etag_is_refused_with_the_present_one(services: Services) -> None:
    """Whoever did not see the last change is told of it; the present etag passes."""
    name = register(services).name
    assert label(services, name, cohort="a", etag="0").etag == "1"
    change = api.AssignCustomerManagerRequest(
        name=name, customer_manager="managers/maria", etag="0"
    )
    how = refused(lambda: services.customers.AssignCustomerManager(change))
    assert (how.code, how.reason) == (grpc.StatusCode.ABORTED, "STALE_ETAG")
    assert how.figures["etag"] == "1"
    change.etag = how.figures["etag"]
    assert services.customers.AssignCustomerManager(change).etag == "2"


def test_exactly_one_manager(services: Services) -> None:
    """The latest manager answers; the same one again changes nothing."""
    name = register(services).name

    def assign(manager: str) -> api.Customer:
        request = api.AssignCustomerManagerRequest(name=name, customer_manager=manager)
        return services.customers.AssignCustomerManager(request)

    assert assign("managers/maria").customer_manager == "managers/maria"
    assert assign("managers/maria").etag == "1"
    otto = assign("managers/otto")
    assert (otto.customer_manager, otto.etag) == ("managers/otto", "2")


def test_nobody_changes_who_is_not_there(services: Services) -> None:
    """Every change of an unknown customer is NOT_FOUND."""
    name = "customers/" + unique("nobody")
    api_ = services.customers
    for call in (
        lambda: label(services, name, cohort="a"),
        lambda: api_.AssignCustomerManager(
            api.AssignCustomerManagerRequest(name=name, customer_manager="managers/maria")
        ),
        lambda: api_.UpdateCustomer(
            api.UpdateCustomerRequest(customer=api.Customer(name=name, email="x"))
        ),
        lambda: api_.GetCustomerTimeline(api.GetCustomerTimelineRequest(name=name)),
    ):
        assert refused(call) == Refused(NOT_FOUND, "NOT_FOUND", {"resource": name})


# Listing


def test_a_list_is_narrowed_by_cohort_segment_and_manager(services: Services) -> None:
    """A list shows who fits now, as soon as the change was answered."""
    cohort, segment, manager = unique("q"), unique("s"), f"managers/{unique('m')}"
    names = sorted(register(services, cohort=cohort).name for _ in range(3))
    label(services, names[0], cohort=cohort, segments=[segment])
    label(services, names[1], segments=[segment])
    change = api.AssignCustomerManagerRequest(name=names[2], customer_manager=manager)
    _, call = services.customers.AssignCustomerManager.with_call(change)

    def listed(**by: Any) -> list[str]:
        request = api.ListCustomersRequest(**by)
        answer = services.customers.ListCustomers(request, metadata=position(call))
        return [customer.name for customer in answer.customers]

    assert listed(cohort=cohort) == [names[0], names[2]]
    assert listed(segment=segment) == names[:2]
    assert listed(customer_manager=manager) == [names[2]]
    assert listed(cohort=cohort, segment=segment) == [names[0]]
    assert listed(cohort=unique("q")) == []


def test_pages_lead_to_the_end(services: Services) -> None:
    """Pages of any size show everybody once, in the order of their ids."""
    cohort = unique("q")
    batch = [
        api.RegisterCustomerRequest(
            customer_id=unique("c"), cohort=cohort, source=cohort, source_id=str(number)
        )
        for number in range(25)
    ]
    request = api.ImportCustomersRequest(customers=batch)
    _, call = services.customers.ImportCustomers.with_call(request)
    names: list[str] = []
    sizes: list[int] = []
    token = ""
    while token or not sizes:
        asked = api.ListCustomersRequest(cohort=cohort, page_size=10 - len(sizes), page_token=token)
        page = services.customers.ListCustomers(asked, metadata=position(call))
        names += [customer.name for customer in page.customers]
        sizes.append(len(page.customers))
        token = page.next_page_token
    assert names == sorted(f"customers/{each.customer_id}" for each in batch)
    assert sizes == [10, 9, 6]


def test_a_page_is_asked_for_properly(services: Services) -> None:
    """A negative size, a made-up token and a token of another list are refused."""
    cohort = unique("q")
    for _ in range(2):
        request = api.RegisterCustomerRequest(customer_id=unique("c"), cohort=cohort)
        _, call = services.customers.RegisterCustomer.with_call(request)
    first = services.customers.ListCustomers(
        api.ListCustomersRequest(cohort=cohort, page_size=1), metadata=position(call)
    )

    def wrong_field(**asked: Any) -> str:
        request = api.ListCustomersRequest(**asked)
        how = refused(lambda: services.customers.ListCustomers(request))
        assert how.code == INVALID
        (field,) = how.fields
        return field

    assert wrong_field(page_size=-1) == "page_size"
    assert wrong_field(page_token="made up") == "page_token"
    other = unique("q")
    assert wrong_field(page_token=first.next_page_token, cohort=other) == "page_token"


def test_a_query_waits_for_a_position_within_its_deadline(services: Services) -> None:
    """A position that does not come is a deadline passed; one that is none is refused."""
    ask = services.customers.ListCustomers
    far = (("equiloop-min-position", str(1 << 60)),)
    late = refused(lambda: ask(api.ListCustomersRequest(), metadata=far, timeout=2))
    assert late.code == grpc.StatusCode.DEADLINE_EXCEEDED
    none = (("equiloop-min-position", "soon"),)
    how = refused(lambda: ask(api.ListCustomersRequest(), metadata=none))
    assert how.code == INVALID
