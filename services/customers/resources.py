"""State → resource: customers and transactions as the contract shows them."""

from equiloop.customers.v1 import service_pb2 as api

from libs.decider import Handled
from libs.kernel.money import to_message
from services.customers.domain.customer import Customer
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
