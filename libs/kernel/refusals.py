"""How a domain says no. The chassis turns each into a precise google.rpc.Status."""

from collections.abc import Sequence
from dataclasses import dataclass


class Refusal(Exception):
    """A command cannot be done as things stand; nothing was changed.

    ``reason`` is UPPER_SNAKE_CASE and stable: clients may branch on it. ``metadata`` gives the
    figures that the message speaks of. Neither is ever personal.
    """

    def __init__(self, reason: str, message: str, **metadata: str) -> None:
        """Say why in a constant, a sentence, and figures."""
        super().__init__(message)
        self.reason, self.message, self.metadata = reason, message, metadata


class NotFound(Refusal):
    """There is no such resource (or the caller may not know of it)."""

    def __init__(self, name: str, field: str = "") -> None:
        """Name the resource asked for, and the field that asked for it if it was not the name."""
        more = {"field": field} if field else {}
        super().__init__("NOT_FOUND", f"{name!r} was not found", resource=name, **more)


class AlreadyExists(Refusal):
    """The identity is taken by other content."""


class Stale(Refusal):
    """The etag is not that of the resource as it now is."""

    def __init__(self, name: str, given: str, actual: str) -> None:
        """Name the resource, the etag that was given, and the present one."""
        message = f"{name!r} has changed: etag {given!r} was given, {actual!r} is present"
        super().__init__("STALE_ETAG", message, resource=name, etag=actual)


class Contended(Refusal):
    """Too many writers at once on one resource; the same call may be sent again."""

    def __init__(self, name: str) -> None:
        """Name the resource."""
        super().__init__("CONTENDED", f"{name!r} is being changed by others", resource=name)


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that is not as it must be: its path (`score.value`, `segments[2]`) and why."""

    field: str
    description: str


class FieldError(ValueError):
    """A model refuses one of its fields because of the others: raise it where all are known."""

    def __init__(self, field: str, description: str) -> None:
        """Name the field, relative to the model, and why."""
        super().__init__(description)
        self.field = field


class Invalid(Refusal):
    """The request is not well-formed; every field that is wrong is named."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        """List every violation."""
        first = "; ".join(f"{v.field}: {v.description}" for v in violations)
        super().__init__("INVALID_ARGUMENT", first)
        self.violations = tuple(violations)

    @classmethod
    def field(cls, field: str, description: str) -> "Invalid":
        """Refuse one field."""
        return cls([Violation(field, description)])
