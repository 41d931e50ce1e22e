"""What the contract says of methods: who may call them, and which change nothing."""

from collections.abc import Iterator

from equiloop.options.v1 import options_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pool import Default

_QUERY = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS


class UnguardedMethod(Exception):
    """A method names no roles; a service with one does not start."""


def service(full_name: str) -> ServiceDescriptor:
    """Answer the service called ``full_name``; raise KeyError when there is none."""
    return Default().FindServiceByName(full_name)


def methods(full_name: str) -> Iterator[MethodDescriptor]:
    """Go through the methods of a service, each of which must name its roles."""
    for method in service(full_name).methods:
        if not roles(method):
            message = f"{method.full_name} names no roles (option equiloop.options.v1.roles)"
            raise UnguardedMethod(message)
        yield method


def roles(method: MethodDescriptor) -> frozenset[int]:
    """Answer who may call ``method``."""
    named = method.GetOptions().Extensions[options_pb2.roles]
    return frozenset(named) - {options_pb2.ROLE_UNSPECIFIED}


def is_internal(full_name: str) -> bool:
    """Say whether a service is for whoever runs a process, and not led to by the gateway."""
    return bool(service(full_name).GetOptions().Extensions[options_pb2.internal])


def is_query(method: MethodDescriptor) -> bool:
    """Say whether ``method`` changes nothing, so that it may wait for a position and be retried."""
    return bool(method.GetOptions().idempotency_level == _QUERY)
