"""One manager: to whom he reports, and what he may decide."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated

from equiloop.customers.v1 import organisation_events_pb2 as events
from equiloop.feedback.v1 import events_pb2 as feedback
from google.protobuf.message import Message
from pydantic import AfterValidator, Field, StringConstraints

from libs.kernel.money import Money, NotNegative, to_minor
from libs.kernel.refusals import NotFound, Refusal
from libs.kernel.values import (
    Command,
    Etag,
    FunctionName,
    FunctionNames,
    ManagerName,
    known,
    timestamp,
)
from services.customers.domain.tree import not_below

MOST_AUTHORITIES = 100
"""Most authorities that one manager may have at a time."""

_ID = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
AuthorityName = Annotated[str, StringConstraints(pattern=f"^managers/{_ID}/authorities/{_ID}$")]
Kind = Annotated[int, known(feedback.ActionKind)]


def _in_order(kinds: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(kinds)))


class SetReportingLine(Command):
    """A manager shall report to another, or to nobody.

    ``above`` is the other with everybody above him, as the log has them.
    """

    manager: ManagerName
    reports_to: ManagerName | None = None
    function: FunctionName | None = None
    etag: Etag | None = None
    above: tuple[ManagerName, ...] = ()

    @property
    def name(self) -> str:
        """Who shall report."""
        return self.manager


class GrantAuthority(Command):
    """A manager may decide up to a limit."""

    authority: AuthorityName
    manager: ManagerName
    limit: NotNegative
    functions: Annotated[FunctionNames, Field(max_length=100)] = ()
    kinds: Annotated[tuple[Kind, ...], AfterValidator(_in_order)] = ()


class RevokeAuthority(Command):
    """A manager may no longer decide by an authority."""

    name: AuthorityName
    reason: Annotated[str, Field(max_length=1000)] = ""


class Decision(Command):
    """Something that a manager would decide on: for which function, of which kind, at what cost."""

    manager: ManagerName
    function: FunctionName
    kind: Kind | None = None
    amount: NotNegative


@dataclass(frozen=True, slots=True)
class Authority:
    """What was granted; ``revoked`` once it was taken back."""

    granted: events.AuthorityGranted
    revoked: events.AuthorityRevoked | None = None


@dataclass(frozen=True, slots=True)
class Manager:
    """A manager as the organisation has placed and trusted him."""

    line: events.ReportingLineSet | None = None
    authorities: Mapping[str, Authority] = field(default_factory=dict)

    @property
    def reports_to(self) -> str:
        """To whom; empty: to nobody."""
        return self.line.reports_to if self.line else ""

    @property
    def standing(self) -> Sequence[Authority]:
        """The authorities that hold."""
        return [each for each in self.authorities.values() if each.revoked is None]

    def limit(self, functions: Set[str], kind: int | None, currency_code: str) -> Money | None:
        """Answer up to how much he may decide, for a function given with those above it."""
        amounts = [
            to_minor(each.granted.limit)
            for each in self.standing
            if each.granted.limit.currency_code == currency_code
            and (not each.granted.functions or not functions.isdisjoint(each.granted.functions))
            and (not each.granted.kinds or kind in each.granted.kinds)
        ]
        return Money(currency_code=currency_code, minor=max(amounts)) if amounts else None


INITIAL = Manager()


def decide(
    command: SetReportingLine | GrantAuthority | RevokeAuthority, state: Manager, now: datetime
) -> Sequence[Message]:
    """Answer what follows from ``command``."""
    match command:
        case SetReportingLine():
            return _place(command, state, now)
        case GrantAuthority():
            return _grant(command, state, now)
        case RevokeAuthority():
            return _revoke(command, state, now)


def _place(command: SetReportingLine, state: Manager, now: datetime) -> Sequence[Message]:
    line = events.ReportingLineSet(
        event_time=timestamp(now),
        manager=command.manager,
        reports_to=command.reports_to or "",
        function=command.function or "",
    )
    present = state.line
    if present and (present.reports_to, present.function) == (line.reports_to, line.function):
        return []
    if line.reports_to != state.reports_to:
        not_below(command.manager, command.above)
    return [line]


def _grant(command: GrantAuthority, state: Manager, now: datetime) -> Sequence[Message]:
    if len(state.standing) >= MOST_AUTHORITIES:
        message = f"{command.manager!r} has {MOST_AUTHORITIES} authorities: take some back first"
        raise Refusal("TOO_MANY_AUTHORITIES", message, manager=command.manager)
    return [
        events.AuthorityGranted(
            event_time=timestamp(now),
            authority=command.authority,
            manager=command.manager,
            limit=command.limit.message(),
            functions=command.functions,
            kinds=[feedback.ActionKind.ValueType(kind) for kind in command.kinds],
        )
    ]


def _revoke(command: RevokeAuthority, state: Manager, now: datetime) -> Sequence[Message]:
    authority = state.authorities.get(command.name)
    if authority is None:
        raise NotFound(command.name)
    if authority.revoked is not None:
        return []
    return [
        events.AuthorityRevoked(
            event_time=timestamp(now),
            authority=command.name,
            manager=authority.granted.manager,
            reason=command.reason,
        )
    ]


def evolve(state: Manager, event: Message) -> Manager:
    """Answer ``state`` after ``event``."""
    match event:
        case events.ReportingLineSet():
            return replace(state, line=event)
        case events.AuthorityGranted():
            granted = {event.authority: Authority(event)}
            return replace(state, authorities={**state.authorities, **granted})
        case events.AuthorityRevoked():
            authority = replace(state.authorities[event.authority], revoked=event)
            return replace(state, authorities={**state.authorities, event.authority: authority})
    return state
