"""Every method of the contract says who may call it; one that does not keeps its server down."""

import itertools

import pytest
from equiloop.options.v1 import options_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import MethodDescriptor

from libs.chassis.server import CONTRACT
from libs.contract.options import UnguardedMethod, is_internal, is_query, methods, roles, service

METHODS = [method for name in CONTRACT for method in service(name).methods]
_number = itertools.count()
QUESTIONS = ("Check", "Get", "List", "Propose", "Rank", "Trace", "Watch")


def planted(*named: options_pb2.Role.ValueType) -> str:
    """Make a service whose one method names these roles, and answer its full name."""
    package = f"planted{next(_number)}"
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package)
    file.message_type.add(name="Nothing")
    method = file.service.add(name="Faulty").method.add(
        name="Do", input_type=f".{package}.Nothing", output_type=f".{package}.Nothing"
    )
    method.options.Extensions[options_pb2.roles].extend(named)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    return f"{package}.Faulty"


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_every_method_names_its_roles(method: MethodDescriptor) -> None:
    """Each method names at least one role, and only roles there are."""
    named = roles(method)
    assert named
    assert named <= set(options_pb2.Role.values())


def test_a_method_that_names_its_roles_is_let_through() -> None:
    """The planted service with a role is accepted: the next checks fail for the right reason."""
    (method,) = methods(planted(options_pb2.ROLE_ANALYST, options_pb2.ROLE_AUDITOR))
    assert roles(method) == {options_pb2.ROLE_ANALYST, options_pb2.ROLE_AUDITOR}


@pytest.mark.parametrize(
    "named", [(), (options_pb2.ROLE_UNSPECIFIED,)], ids=["none", "unspecified"]
)
def test_a_method_without_roles_is_refused(named: tuple[options_pb2.Role.ValueType, ...]) -> None:
    """No role, and the role that is none, both refuse the whole service by the method's name."""
    name = planted(*named)
    with pytest.raises(UnguardedMethod, match=f"{name}.Do"):
        list(methods(name))


def test_queries_say_that_they_change_nothing() -> None:
    """What only reads is marked so; whatever takes a request id is not."""
    for method in METHODS:
        asks = method.name.startswith(QUESTIONS)
        assert is_query(method) == asks, method.full_name
        assert not (asks and "request_id" in method.input_type.fields_by_name)


def test_every_change_can_be_repeated() -> None:
    """Each method that changes the log takes a request id, or knows its items by themselves.

    An import knows them by their source ids; coding anew by the model and the rules of the latest.
    """
    for method in METHODS:
        changes = not is_query(method) and not is_internal(method.containing_service.full_name)
        if changes and not method.name.startswith(("Import", "Recode")):
            assert "request_id" in method.input_type.fields_by_name, method.full_name
