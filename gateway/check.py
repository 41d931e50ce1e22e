"""Does a rendered configuration treat every method of the contract as its kind demands?

The routes are derived from the contract, so this asks the other way round: what would Envoy do
with a call of each method? It looks at the outcome alone and knows nothing of the template.
"""

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.contract import Kind, Method, every_method, methods
from gateway.render import Config

_BUFFER = "envoy.filters.http.buffer"
_DETAILS = ("google/rpc/status.proto", "google/rpc/error_details.proto")
_EXPOSED = ("equiloop-position", "grpc-message", "grpc-status", "grpc-status-details-bin")
_STREAM_IDLE = 60
"""Seconds a stream must be let be silent; a watch shows a sign of life every 15."""


def problems(config: Config, contract: FileDescriptorSet) -> list[str]:
    """Answer one line for each thing that is wrong; none if all is well."""
    found = methods(contract)
    return [
        *(line for method in found for line in _method(config, method)),
        *_services(config, found),
        *_internal(config, [method for method in every_method(contract) if method.is_internal]),
        *_surroundings(config, contract),
    ]


def _method(config: Config, method: Method) -> Iterator[str]:
    route = _first_match(config, method.path)
    if route is None:
        yield f"{method.path}: has no route"
        return
    action = route["route"]
    if action["cluster"] != method.context:
        yield f"{method.path}: goes to {action['cluster']}, not to {method.context}"
        return
    if ("retry_policy" in action) != (method.kind is Kind.QUERY):
        yield f"{method.path}: only queries may be sent again, and this is a {method.kind.value}"
    if "grpc_timeout_header_max" not in action.get("max_stream_duration", {}):
        yield f"{method.path}: the route's own timeout would cut the call"
    if method.kind is Kind.STREAM:
        if not route.get("typed_per_filter_config", {}).get(_BUFFER, {}).get("disabled"):
            yield f"{method.path}: a stream must not be buffered"
        if _seconds(action.get("idle_timeout", "0s")) < _STREAM_IDLE:
            yield f"{method.path}: a stream may be silent for {_STREAM_IDLE} s"
    elif _seconds(action.get("idle_timeout", "0s")) == 0:
        yield f"{method.path}: a call must end even if the service hangs"


def _services(config: Config, found: list[Method]) -> Iterator[str]:
    transcoded = _filter(config, "envoy.filters.http.grpc_json_transcoder")["services"]
    clusters = {cluster["name"] for cluster in config["static_resources"]["clusters"]}
    for service, context in sorted({(method.service, method.context) for method in found}):
        if service not in transcoded:
            yield f"{service}: has no REST"
        if context not in clusters:
            yield f"{service}: has no cluster {context}"


def _internal(config: Config, found: list[Method]) -> Iterator[str]:
    """What each process answers for itself must not be led to one of them, whichever that is."""
    transcoded = _filter(config, "envoy.filters.http.grpc_json_transcoder")["services"]
    clusters = {cluster["name"] for cluster in config["static_resources"]["clusters"]}
    for method in found:
        route = _first_match(config, method.path)
        if route is not None and route["route"]["cluster"] in clusters:
            yield f"{method.path}: is internal, and goes to {route['route']['cluster']}"
        if method.service in transcoded:
            yield f"{method.path}: is internal, and has REST"


def _surroundings(config: Config, contract: FileDescriptorSet) -> Iterator[str]:
    files = {file.name for file in contract.file}
    yield from (
        f"{name}: without it REST errors lose details" for name in _DETAILS if name not in files
    )
    cors = _virtual_host(config)["typed_per_filter_config"]["envoy.filters.http.cors"]
    exposed = cors["expose_headers"].split(", ")
    yield from (f"{name}: web pages cannot read it" for name in _EXPOSED if name not in exposed)
    if config["admin"]["address"]["socket_address"]["address"] != "127.0.0.1":
        yield "admin: must not be reachable from outside"


def _first_match(config: Config, path: str) -> Config | None:
    for route in _virtual_host(config)["routes"]:
        match = route["match"]
        if path == match["path"] if "path" in match else path.startswith(match["prefix"]):
            found: Config = route
            return found
    return None


def _manager(config: Config) -> Any:
    listener = config["static_resources"]["listeners"][0]
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


def _virtual_host(config: Config) -> Any:
    return _manager(config)["route_config"]["virtual_hosts"][0]


def _filter(config: Config, name: str) -> Any:
    filters = {item["name"]: item["typed_config"] for item in _manager(config)["http_filters"]}
    return filters[name]


def _seconds(duration: str) -> float:
    return float(duration.removesuffix("s"))
