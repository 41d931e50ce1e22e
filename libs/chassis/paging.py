"""Pages of a list (AIP-158): sizes coerced, tokens opaque and bound to their question."""

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from libs.kernel.refusals import Invalid

DEFAULT, LARGEST = 100, 1000

PAGE_BYTES = 2 << 20
"""Bytes after which a page of large items ends early: a message may have 4 MiB."""

_SEAL = 4


@dataclass(frozen=True, slots=True)
class Page:
    """How much of a list is asked for, and after which key it goes on."""

    size: int
    after: list[Any] | None
    question: str

    @classmethod
    def of(cls, request: Message, default: int = DEFAULT) -> "Page":
        """Read page_size and page_token of a request.

        Raises Invalid for a negative size, and for a token that is broken or of another question.
        """
        size: int = getattr(request, "page_size", 0)
        if size < 0:
            raise Invalid.field("page_size", "must not be negative")
        question = _question(request)
        token: str = getattr(request, "page_token", "")
        return cls(min(size or default, LARGEST), _open(token, question), question)

    def token(self, key: list[Any]) -> str:
        """Answer the token of the page that begins after ``key``."""
        content = json.dumps([self.question, *key], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(_seal(content) + content).decode().rstrip("=")


def _question(request: Message) -> str:
    """Answer a hash of all that is asked but for size and token: they may change, it may not."""
    same = type(request)()
    same.CopyFrom(request)
    for field in ("page_size", "page_token"):
        if field in same.DESCRIPTOR.fields_by_name:
            same.ClearField(field)
    asked = same.DESCRIPTOR.full_name.encode() + same.SerializeToString(deterministic=True)
    return hashlib.blake2b(asked, digest_size=6).hexdigest()


def _seal(content: bytes) -> bytes:
    """Answer a checksum: what comes back unharmed has the key that its list gave out."""
    return hashlib.blake2b(content, digest_size=_SEAL, person=b"page").digest()


def _open(token: str, question: str) -> list[Any] | None:
    if not token:
        return None
    try:
        padded = token + "=" * (-len(token) % 4)
        whole = base64.b64decode(padded, altchars=b"-_", validate=True)
    except ValueError:
        whole = b""
    seal, content = whole[:_SEAL], whole[_SEAL:]
    if not content or seal != _seal(content):
        raise Invalid.field("page_token", "is not a token that was given out")
    asked, *key = json.loads(content)
    if asked != question:
        raise Invalid.field("page_token", "belongs to a list with other conditions")
    return list(key)
