"""What the gateway says when it answers itself: the same google.rpc.Status in all three protocols.

Envoy's own texts tell of its inside and its own gRPC status is coarser than ours, so each case
has a fixed status here. gRPC and gRPC-Web get it in `grpc-status-details-bin`, REST as the body.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

NEVER_SENT = ("NC", "NR", "UF", "UH", "UO")
"""Envoy's response flags for a call that reached no service: no cluster, no route, connection
failed, no healthy host, overflow."""

_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_REST = {
    "or_filter": {
        "filters": [
            {"header_filter": {"header": {"name": "x-envoy-original-path", "present_match": True}}},
            {
                "header_filter": {
                    "header": {
                        "name": "content-type",
                        "string_match": {"prefix": "application/grpc"},
                        "treat_missing_header_as_empty": True,
                        "invert_match": True,
                    }
                }
            },
        ]
    }
}
"""A REST call, before (no gRPC content type) and after (the path it came with) the transcoder."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One case: what an HTTP code of Envoy's means, with `flags` only if one of them is set.

    `rest` is the code that REST clients get where it differs; `%LOCAL_REPLY_BODY%` in `message`
    stands for Envoy's own words.
    """

    http: int
    code: StatusCode
    reason: str
    message: str
    flags: tuple[str, ...] = ()
    rest: StatusCode | None = None


REPLIES = (
    Reply(
        400,
        StatusCode.INVALID_ARGUMENT,
        "MALFORMED_REQUEST",
        "malformed request: %LOCAL_REPLY_BODY%",
    ),
    Reply(
        404,
        StatusCode.UNIMPLEMENTED,
        "UNKNOWN_METHOD",
        "there is no such method here",
        rest=StatusCode.NOT_FOUND,
    ),
    Reply(
        408,
        StatusCode.DEADLINE_EXCEEDED,
        "DEADLINE_EXCEEDED",
        "the call was not complete within its deadline",
    ),
    Reply(
        413,
        StatusCode.RESOURCE_EXHAUSTED,
        "MESSAGE_TOO_LARGE",
        "the message is larger than the gateway takes",
    ),
    Reply(
        431,
        StatusCode.RESOURCE_EXHAUSTED,
        "METADATA_TOO_LARGE",
        "the metadata is larger than the gateway takes",
    ),
    Reply(
        503,
        StatusCode.UNAVAILABLE,
        "SERVICE_UNAVAILABLE",
        "the service cannot be reached and has not seen the call: send it again later",
        flags=NEVER_SENT,
    ),
    Reply(
        503,
        StatusCode.UNAVAILABLE,
        "CONNECTION_LOST",
        "the connection to the service was lost: send the call again with the same request_id",
    ),
    Reply(
        504,
        StatusCode.DEADLINE_EXCEEDED,
        "DEADLINE_EXCEEDED",
        "the call was not answered within its deadline",
    ),
    *(
        Reply(
            http, StatusCode.INTERNAL, "GATEWAY_FAILURE", "the gateway could not pass the call on"
        )
        for http in (500, 502)
    ),
)


def mappers(replies: Iterable[Reply] = REPLIES) -> list[object]:
    """Answer Envoy's `local_reply_config.mappers`; the first match counts, so REST stands first."""
    replies = tuple(replies)
    return [_rest(reply) for reply in replies] + [_grpc(reply) for reply in replies]


def _rest(reply: Reply) -> object:
    code = reply.rest or reply.code
    info = {"@type": _ERROR_INFO, "reason": reply.reason, "domain": "equiloop", "metadata": {}}
    return {
        "filter": {"and_filter": {"filters": [*_filters(reply), _REST]}},
        "body_format_override": {
            "content_type": "application/json",
            "json_format": {
                "code": code.value[0],
                "message": reply.message,
                "details": [info],
            },
        },
    }


def _grpc(reply: Reply) -> object:
    code = str(reply.code.value[0])
    headers = {"grpc-status": code, "equiloop-reply-status": code}
    if "%" not in reply.message:  # clients refuse details whose message is not grpc-message
        headers["grpc-status-details-bin"] = _details(reply)
    filters = _filters(reply)
    return {
        "filter": filters[0] if len(filters) == 1 else {"and_filter": {"filters": filters}},
        "headers_to_add": [
            {
                "header": {"key": key, "value": value},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
            for key, value in headers.items()
        ],
        "body_format_override": {"text_format_source": {"inline_string": reply.message}},
    }


def _filters(reply: Reply) -> list[object]:
    value = {"default_value": reply.http, "runtime_key": f"gateway.reply_{reply.http}"}
    filters: list[object] = [{"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}]
    if reply.flags:
        filters.append({"response_flag_filter": {"flags": list(reply.flags)}})
    return filters


def _details(reply: Reply) -> str:
    info = AnyMessage()
    info.Pack(ErrorInfo(reason=reply.reason, domain="equiloop"))
    status = Status(code=reply.code.value[0], message=reply.message, details=[info])
    return base64.b64encode(status.SerializeToString()).decode().rstrip("=")
