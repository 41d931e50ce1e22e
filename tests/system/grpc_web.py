"""A gRPC-Web client as a browser would be one: HTTP/1.1, framed messages, trailers in the body."""

import base64
import http.client
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import unquote

from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

M = TypeVar("M", bound=Message)

ORIGIN = "http://localhost:3000"
_TRAILERS = 0x80


class GrpcWebError(Exception):
    """A call that ended with another status than OK."""

    def __init__(self, code: int, message: str, details: bytes) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message
        self.status = Status.FromString(details)


@dataclass(frozen=True)
class Answer(Generic[M]):
    """What came back: HTTP headers, messages, trailers."""

    headers: dict[str, str]
    messages: list[M]
    trailers: dict[str, str]


def call(
    address: str,
    method: str,
    request: Message,
    reply: type[M],
    *,
    metadata: Mapping[str, str] | None = None,
    text: bool = False,
    timeout: float = 20,
) -> Answer[M]:
    """Call `method` (service/Name) at `address`; `text` chooses base64, as old browsers need.

    Raises GrpcWebError; AssertionError for what is not gRPC-Web at all.
    """
    kind = "application/grpc-web-text" if text else "application/grpc-web+proto"
    payload = request.SerializeToString()
    body = struct.pack(">BI", 0, len(payload)) + payload
    headers = {
        "content-type": kind,
        "accept": kind,
        "x-grpc-web": "1",
        "origin": ORIGIN,
        **(metadata or {}),
    }
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        connection.request("POST", f"/{method}", base64.b64encode(body) if text else body, headers)
        response = connection.getresponse()
        data = response.read()
    finally:
        connection.close()
    assert response.status == http.HTTPStatus.OK, f"gRPC-Web is always 200, not {response.status}"
    found = {name.lower(): value for name, value in response.getheaders()}
    assert found["content-type"].startswith("application/grpc-web")
    return _answer(found, _decoded(data) if text else data, reply)


def _answer(headers: dict[str, str], data: bytes, reply: type[M]) -> Answer[M]:
    messages, trailers = [], dict(headers)  # an error may come without a body, in the headers
    for flag, payload in _frames(data):
        if flag & _TRAILERS:
            lines = payload.decode().strip().split("\r\n")
            pairs = (line.partition(":") for line in lines)
            trailers = {name.lower(): value.strip() for name, _, value in pairs}
        else:
            messages.append(reply.FromString(payload))
    code = int(trailers["grpc-status"])
    if code:
        details = trailers.get("grpc-status-details-bin", "")
        padded = details + "=" * (-len(details) % 4)
        raise GrpcWebError(
            code, unquote(trailers.get("grpc-message", "")), base64.b64decode(padded)
        )
    return Answer(headers, messages, trailers)


def _frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        flag, length = struct.unpack(">BI", data[:5])
        payload = data[5 : 5 + length]
        assert len(payload) == length, "the last frame is cut off"
        yield flag, payload
        data = data[5 + length :]


def _decoded(text: bytes) -> bytes:
    """Decode base64 that may be padded in the middle: each chunk is encoded by itself."""
    return b"".join(base64.b64decode(text[at : at + 4]) for at in range(0, len(text), 4))
