"""Channels to the other services: kept alive, retried where a retry is safe, never unbounded."""

import json
from collections.abc import Sequence

import grpc

from libs.chassis.call import ACTOR, TRACEPARENT
from libs.decider.request import Request

TIMEOUT = 5.0
"""Seconds that a call to a peer may take."""

_RETRY = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.05s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}


def channel(address: str) -> grpc.aio.Channel:
    """Open a channel to ``address``; calls on it are retried while the peer is away.

    That is safe: every mutation that we send carries a request id.
    """
    return grpc.aio.insecure_channel(
        address,
        options=(
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 5_000),
            ("grpc.service_config", json.dumps(_RETRY)),
        ),
    )


def metadata(request: Request) -> Sequence[tuple[str, str]]:
    """Answer what goes along with a call made because of ``request``: actor and trace."""
    pairs = ((ACTOR, request.actor), (TRACEPARENT, request.traceparent))
    return tuple(pair for pair in pairs if pair[1])
