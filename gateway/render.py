"""Make the configuration of one run out of gateway/envoy.yaml, the contract and the settings.

`python -m gateway.render` prints it, e.g. for a ConfigMap.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from pydantic import Field

from gateway.contract import DESCRIPTORS, Kind, Method, methods, read_contract
from gateway.replies import mappers
from libs.chassis.settings import Settings

BASE = Path(__file__).with_name("envoy.yaml")
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")

Config = dict[str, Any]
Values = Mapping[str, object]


class GatewaySettings(Settings):
    """The gateway's own settings, beside those of the services that it leads to."""

    gateway: str = Field("127.0.0.1:8080", description="Where the gateway listens")
    gateway_admin: int = Field(9901, description="Port of Envoy's admin interface, on 127.0.0.1")
    gateway_origins: str = Field(
        r"https?://(localhost|127\.0\.0\.1)(:\d+)?",
        description="Web pages that may call, as a regular expression for the whole origin",
    )


def render(settings: GatewaySettings, contract: FileDescriptorSet | None = None) -> Config:
    """Answer Envoy's configuration for these settings; KeyError for a ${name} nobody gives."""
    found = methods(contract or read_contract())
    homes = {method.service: method.context for method in found}
    host, port = _split(settings.gateway)
    values: Values = {
        "admin": settings.gateway_admin,
        "descriptors": str(DESCRIPTORS),
        "host": host,
        "max_message": settings.max_message,
        "origins": settings.gateway_origins,
        "port": port,
        "replies": mappers(),
        "services": sorted({method.service for method in found}),
    }
    each: Mapping[str, Sequence[Values]] = {
        "stream": [_of(method) for method in found if method.kind is Kind.STREAM],
        "query": [_of(method) for method in found if method.kind is Kind.QUERY],
        "service": [{"service": name, "context": home} for name, home in homes.items()],
        "context": [_backend(context, settings) for context in sorted(set(homes.values()))],
    }
    base = yaml.safe_load(BASE.read_text(encoding="utf-8"))
    config = _expand(base, values, each)
    assert isinstance(config, dict)
    return config


def write(config: Config, path: Path) -> None:
    """Write a configuration where Envoy shall read it; the name ends in .json."""
    path.write_text(json.dumps(config, indent=1), encoding="utf-8")


def _of(method: Method) -> Values:
    return {"context": method.context, "method": method.name, "path": method.path}


def _backend(context: str, settings: GatewaySettings) -> Values:
    """Answer where a context is served, all its services by one process."""
    host, port = _split(str(getattr(settings, context)))
    return {"context": context, "host": host, "port": port}


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _expand(node: object, values: Values, each: Mapping[str, Sequence[Values]]) -> object:
    """Answer `node` with its ${names} replaced and its `for_each` items repeated."""
    if isinstance(node, str):
        whole = _PLACEHOLDER.fullmatch(node)
        if whole:
            return values[whole[1]]
        return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), node)
    if isinstance(node, dict):
        return {key: _expand(child, values, each) for key, child in node.items()}
    if isinstance(node, list):
        return [item for child in node for item in _repeat(child, values, each)]
    return node


def _repeat(child: object, values: Values, each: Mapping[str, Sequence[Values]]) -> list[object]:
    if not (isinstance(child, dict) and "for_each" in child):
        return [_expand(child, values, each)]
    item = {key: value for key, value in child.items() if key != "for_each"}
    return [_expand(item, {**values, **row}, each) for row in each[child["for_each"]]]


if __name__ == "__main__":
    print(json.dumps(render(GatewaySettings()), indent=1))
