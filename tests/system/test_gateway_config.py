"""The gateway's configuration treats every method as it must; the check of that can fail."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.check import problems
from gateway.contract import Kind, methods, read_contract
from gateway.render import Config, GatewaySettings, render
from gateway.validate import main

CONTRACT = read_contract()


def rendered() -> Config:
    return render(GatewaySettings(), CONTRACT)


def manager(config: Config) -> Any:
    listener = config["static_resources"]["listeners"][0]
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


def host(config: Config) -> Any:
    return manager(config)["route_config"]["virtual_hosts"][0]


def every_route(config: Config, change: Callable[[Any], object]) -> None:
    for route in host(config)["routes"]:
        change(route)


def test_envoy_takes_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m gateway.validate` says in one line that all is well."""
    assert main() == 0
    assert capsys.readouterr().out.count("\n") == 1


def test_the_configuration_serves_the_contract() -> None:
    """The configuration treats every method as its kind demands; all kinds occur."""
    assert problems(rendered(), CONTRACT) == []
    assert {method.kind for method in methods(CONTRACT)} == set(Kind)


def test_a_new_method_needs_no_line_here() -> None:
    """A method that joins the contract gets its route by itself."""
    contract = FileDescriptorSet()
    contract.CopyFrom(CONTRACT)
    service = next(file.service[0] for file in contract.file if file.service)
    service.method.add(name="WatchTheNew", server_streaming=True)
    assert problems(rendered(), contract) != []
    assert problems(render(GatewaySettings(), contract), contract) == []


OF_THE_CONTRACT = [route["name"] for route in host(rendered())["routes"] if " " in route["name"]]


@pytest.mark.parametrize("name", OF_THE_CONTRACT)
def test_a_missing_route_is_found(name: str) -> None:
    """Whatever route of the contract is taken away, the check names what suffers."""
    config = rendered()
    every = host(config)["routes"]
    every[:] = [route for route in every if route["name"] != name]
    assert any(name.split()[1] in line for line in problems(config, CONTRACT))


def set_in_action(**fields: object) -> Callable[[Config], None]:
    return lambda config: every_route(config, lambda route: route["route"].update(fields))


def lose_in_action(field: str) -> Callable[[Config], None]:
    return lambda config: every_route(config, lambda route: route["route"].pop(field, None))


FAULTS: dict[str, Callable[[Config], object]] = {
    "commands are repeated": set_in_action(retry_policy={"retry_on": "reset"}),
    "queries are not repeated": lose_in_action("retry_policy"),
    "streams time out": lose_in_action("max_stream_duration"),
    "silent streams are cut": set_in_action(idle_timeout="10s"),
    "calls may hang": lose_in_action("idle_timeout"),
    "all goes to one service": set_in_action(cluster="offers"),
    "streams are buffered": lambda config: every_route(
        config, lambda route: route.pop("typed_per_filter_config", None)
    ),
    "a cluster is missing": lambda config: config["static_resources"]["clusters"].pop(),
    "a service has no REST": lambda config: manager(config)["http_filters"][4]["typed_config"][
        "services"
    ].pop(),
    "pages cannot read the position": lambda config: host(config)["typed_per_filter_config"][
        "envoy.filters.http.cors"
    ].update(expose_headers=""),
    "operations are led to any process": lambda config: host(config)["routes"].insert(
        0,
        {
            "match": {"prefix": "/equiloop.operations.v1.OperationsService/"},
            "route": {"cluster": "customers"},
        },
    ),
    "operations have REST": lambda config: manager(config)["http_filters"][4]["typed_config"][
        "services"
    ].append("equiloop.operations.v1.OperationsService"),
    "the admin is open": lambda config: config["admin"]["address"]["socket_address"].update(
        address="0.0.0.0"
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_found(fault: str) -> None:
    """Each fault brings a complaint."""
    config = rendered()
    FAULTS[fault](config)
    assert problems(config, CONTRACT)


def test_lost_details_are_found() -> None:
    """A descriptor set by which REST errors would lose their details brings a complaint."""
    contract = copy.deepcopy(CONTRACT)
    del contract.file[:]
    contract.file.extend(file for file in CONTRACT.file if not file.name.startswith("google/rpc/"))
    assert len(problems(rendered(), contract)) == 2
