"""The gRPC edge of customers: message → command → decide → append → reply; a part a module."""

from functools import partial

from equiloop.customers.v1.organisation_service_pb2_grpc import (
    OrganisationServiceServicer,
    add_OrganisationServiceServicer_to_server,
)
from equiloop.customers.v1.service_pb2_grpc import (
    CustomerServiceServicer,
    add_CustomerServiceServicer_to_server,
)

from libs.chassis.server import Register
from services.customers.service.authorities import Authorities
from services.customers.service.functions import Functions
from services.customers.service.ledger import Ledger
from services.customers.service.lines import Lines
from services.customers.service.means import Means
from services.customers.service.relations import Relations
from services.customers.service.timeline import Timeline


class CustomerService(Relations, Ledger, Timeline, CustomerServiceServicer):
    """Answers calls; what it knows it asks of the log and of its views."""


class OrganisationService(Functions, Lines, Authorities, OrganisationServiceServicer):
    """Answers calls about those who serve customers."""


def services(means: Means) -> list[Register]:
    """Answer all services of this context, ready to be registered with a server."""
    return [
        partial(add_CustomerServiceServicer_to_server, CustomerService(means)),
        partial(add_OrganisationServiceServicer_to_server, OrganisationService(means)),
    ]
