"""What the gateway needs to know of the contract: its methods, and what kind of call each is."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodDescriptorProto, MethodOptions

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

    @property
    def path(self) -> str:
        """The path of its calls."""
        return f"/{self.service}/{self.name}"


def read_contract(descriptors: Path = DESCRIPTORS) -> FileDescriptorSet:
    """Read the descriptor set that `make proto` writes."""
    return FileDescriptorSet.FromString(descriptors.read_bytes())


def methods(contract: FileDescriptorSet) -> list[Method]:
    """Answer every method of our services, in the order of the contract."""
    return [
        Method(
            context=file.package.split(".")[1],
            service=f"{file.package}.{service.name}",
            name=method.name,
            kind=_kind(method),
        )
        for file in contract.file
        if file.package.startswith("equiloop.")
        for service in file.service
        for method in service.method
    ]


def _kind(method: MethodDescriptorProto) -> Kind:
    if method.client_streaming or method.server_streaming:
        return Kind.STREAM
    if method.options.idempotency_level == MethodOptions.NO_SIDE_EFFECTS:
        return Kind.QUERY
    return Kind.COMMAND
