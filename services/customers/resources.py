"""State → resource: customers, transactions and the organisation as the contract shows them."""

from collections.abc import Sequence

from equiloop.customers.v1 import organisation_service_pb2 as organisation
from equiloop.customers.v1 import service_pb2 as api

from libs.decider import Handled
from libs.kernel.money import to_message
from services.customers.domain.customer import Customer
from services.customers.domain.function import Function
from services.customers.domain.manager import Authority, Manager
from services.customers.domain.transaction import Transaction


def customer(handled: Handled[Customer]) -> api.Customer:
    """Answer a customer as it now is."""
    state = handled.state
    registered, details, labels = state.registered, state.details, state.labels
    assert registered is not None
    assert details is not None
    assert labels is not None
    return api.Customer(
        name=registered.customer,
        display_name=details.display_name,
        email=details.email,
        language_code=details.language_code,
        cohort=labels.cohort,
        segments=labels.segments,
        customer_manager=state.customer_manager,
        source=registered.source,
        source_id=registered.source_id,
        create_time=registered.event_time,
        update_time=state.changed,
        etag=str(handled.revision),
    )


def transaction(handled: Handled[Transaction]) -> api.Transaction:
    """Answer a transaction with what went back of it."""
    recorded, refunded = handled.state.recorded, handled.state.refunded
    assert recorded is not None
    return api.Transaction(
        name=recorded.transaction,
        customer=recorded.customer,
        amount=recorded.amount,
        refunded_amount=to_message(refunded, recorded.amount.currency_code),
        purchase_time=recorded.purchase_time,
        quantity=recorded.quantity,
        source=recorded.source,
        source_id=recorded.source_id,
        create_time=recorded.event_time,
        update_time=handled.state.changed,
        etag=str(handled.revision),
    )


def function(handled: Handled[Function]) -> organisation.Function:
    """Answer a function as it now is."""
    present, registered = handled.state.present, handled.state.registered
    assert present is not None
    return organisation.Function(
        name=present.function,
        display_name=present.display_name,
        head=present.head,
        parent=present.parent,
        journey_fragments=present.journey_fragments,
        create_time=registered,
        update_time=present.event_time,
        etag=str(handled.revision),
    )


def reporting_line(
    manager: str, handled: Handled[Manager] | None, above: Sequence[str]
) -> organisation.ReportingLine:
    """Answer to whom a manager reports; ``handled`` is None while nothing is known of him."""
    answer = organisation.ReportingLine(manager=manager, above=above)
    if handled is not None:
        answer.etag = str(handled.revision)
        if (line := handled.state.line) is not None:
            answer.reports_to, answer.function = line.reports_to, line.function
    return answer


def authority(state: Authority) -> organisation.Authority:
    """Answer what was granted, and whether it was taken back."""
    granted, revoked = state.granted, state.revoked
    return organisation.Authority(
        name=granted.authority,
        manager=granted.manager,
        limit=granted.limit,
        functions=granted.functions,
        kinds=granted.kinds,
        create_time=granted.event_time,
        revoke_time=revoked.event_time if revoked else None,
    )
