"""What the gateway needs to know of the contract: its methods, and what kind of call each is."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from equiloop.options.v1 import options_pb2
from google.protobuf.descriptor_pb2 import (
    FileDescriptorSet,
    MethodDescriptorProto,
    MethodOptions,
    ServiceDescriptorProto,
)

DESCRIPTORS = Path(__file__).resolve().parent.parent / "build/proto/equiloop.binpb"


class Kind(Enum):
    """How a call may be treated on its way."""

    STREAM = "stream"
    QUERY = "query"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Method:
    """One method of one service, e.g. GetCustomer of equiloop.customers.v1.CustomerService."""

    context: str
    service: str
    name: str
    kind: Kind
    is_internal: bool = False

    @property
    def path(self) -> str:
        """The path of its calls."""
        return f"/{self.service}/{self.name}"


def read_contract(descriptors: Path = DESCRIPTORS) -> FileDescriptorSet:
    """Read the descriptor set that `make proto` writes."""
    return FileDescriptorSet.FromString(descriptors.read_bytes())


def methods(contract: FileDescriptorSet) -> list[Method]:
    """Answer every method that the gateway leads to, in the order of the contract."""
    return [method for method in every_method(contract) if not method.is_internal]


def every_method(contract: FileDescriptorSet) -> list[Method]:
    """Answer every method of our services, also of those at which the gateway stops."""
    return [
        Method(
            context=file.package.split(".")[1],
            service=f"{file.package}.{service.name}",
            name=method.name,
            kind=_kind(method),
            is_internal=_is_internal(service),
        )
        for file in contract.file
        if file.package.startswith("equiloop.")
        for service in file.service
        for method in service.method
    ]


def _is_internal(service: ServiceDescriptorProto) -> bool:
    return bool(service.options.Extensions[options_pb2.internal])


def _kind(method: MethodDescriptorProto) -> Kind:
    if method.client_streaming or method.server_streaming:
        return Kind.STREAM
    if method.options.idempotency_level == MethodOptions.NO_SIDE_EFFECTS:
        return Kind.QUERY
    return Kind.COMMAND
