"""Functions, reporting lines and authority: every piece of work has an owner, nobody a circle."""

import asyncio
from typing import Any

import pytest
from equiloop.customers.v1 import organisation_events_pb2 as events
from equiloop.feedback.v1 import events_pb2 as feedback
from pydantic import ValidationError

from libs.kernel.money import Money, to_message
from libs.kernel.refusals import AlreadyExists, NotFound, Refusal
from libs.kernel.values import timestamp
from services.customers.domain import function, manager
from services.customers.domain.function import RegisterFunction, UpdateFunction
from services.customers.domain.manager import (
    MOST_AUTHORITIES,
    GrantAuthority,
    RevokeAuthority,
    SetReportingLine,
)
from services.customers.domain.tree import DEPTH, upwards
from services.customers.service.means import FUNCTION, MANAGER
from tests.specs.given import NOW, given

AT = timestamp(NOW)
ANSWER, OFFER = feedback.ACTION_KIND_ANSWER, feedback.ACTION_KIND_OFFER


def registered(**fields: Any) -> events.FunctionRegistered:
    usual: dict[str, Any] = {
        "event_time": AT,
        "function": "functions/research",
        "display_name": "Research",
        "head": "managers/ada",
        "parent": "functions/product",
        "journey_fragments": ["trial", "use"],
    }
    return events.FunctionRegistered(**(usual | fields))


def changed(**fields: Any) -> events.FunctionChanged:
    was = registered(**fields)
    return events.FunctionChanged.FromString(was.SerializeToString())


def register(**fields: Any) -> RegisterFunction:
    usual = {
        "function_id": "research",
        "display_name": "Research",
        "head": "managers/ada",
        "parent": "functions/product",
        "journey_fragments": ["use", "trial", "use"],
        "above": ["functions/product"],
    }
    return RegisterFunction.model_validate(usual | fields)


def update(*mask: str, above: tuple[str, ...] = (), **fields: Any) -> UpdateFunction:
    wanted = {"name": "functions/research", **fields}
    return UpdateFunction.model_validate(
        {"function": wanted, "update_mask": frozenset(mask), "above": above}
    )


def test_a_function_is_registered_once() -> None:
    """The same content again changes nothing; other content is refused."""
    given(FUNCTION).when(function.decide, register()).then(registered())
    given(FUNCTION, registered()).when(function.decide, register()).then()
    again = given(FUNCTION, registered()).when(function.decide, register(head=None))
    again.refused(AlreadyExists, "FUNCTION_EXISTS", function="functions/research")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (update("head"), changed(head="")),
        (update("head", head="managers/bo"), changed(head="managers/bo")),
        (update("parent"), changed(parent="")),
        (update("journey_fragments"), changed(journey_fragments=[])),
        (
            update("*", display_name="R"),
            changed(display_name="R", head="", parent="", journey_fragments=[]),
        ),
    ],
    ids=["nobody leads", "another leads", "to the top", "answers for nothing", "all"],
)
def test_only_the_named_fields_change(
    command: UpdateFunction, expected: events.FunctionChanged
) -> None:
    """What the mask leaves out stays as it was, and the event says all of it."""
    given(FUNCTION, registered()).when(function.decide, command).then(expected)


def test_a_function_that_is_so_already_does_not_change() -> None:
    """The same fields again are no event, also after a change."""
    same = update("head", head="managers/ada")
    given(FUNCTION, registered()).when(function.decide, same).then()
    given(FUNCTION, registered(head=""), changed()).when(function.decide, same).then()


def test_what_is_not_registered_cannot_change() -> None:
    """There is no function to be led."""
    given(FUNCTION).when(function.decide, update("head")).refused(NotFound)


def test_a_mask_names_fields_that_there_are() -> None:
    """A path of no field is refused by its name."""
    with pytest.raises(ValidationError, match="unknown path 'leader'"):
        update("leader")


@pytest.mark.parametrize("above", [("functions/research",), ("functions/a", "functions/research")])
def test_no_function_is_a_part_of_itself(above: tuple[str, ...]) -> None:
    """Neither of itself nor of a part of itself; what moves nothing is not looked at."""
    command = update("parent", above=above, parent=above[0])
    outcome = given(FUNCTION, registered()).when(function.decide, command)
    outcome.refused(Refusal, "CYCLE", name="functions/research")


def test_lines_have_a_greatest_length() -> None:
    """Below 64 others nothing can be placed; below 63 it can."""
    line = tuple(f"functions/{number}" for number in range(DEPTH))
    refused = given(FUNCTION).when(function.decide, register(parent=line[0], above=line))
    refused.refused(Refusal, "TOO_DEEP", name="functions/research")
    placed = given(FUNCTION).when(function.decide, register(parent=line[1], above=line[1:]))
    placed.then(registered(parent=line[1]))


def line_set(reports_to: str = "managers/bo", function: str = "") -> events.ReportingLineSet:
    return events.ReportingLineSet(
        event_time=AT, manager="managers/ada", reports_to=reports_to, function=function
    )


def place(reports_to: str | None = "managers/bo", **fields: Any) -> SetReportingLine:
    given_fields = {"manager": "managers/ada", "reports_to": reports_to, **fields}
    return SetReportingLine.model_validate(given_fields)


def test_a_manager_reports_to_one_or_to_nobody() -> None:
    """A line replaces the one before; the same again changes nothing; the top is a line too."""
    given(MANAGER).when(manager.decide, place()).then(line_set())
    given(MANAGER, line_set()).when(manager.decide, place()).then()
    moved = place(function="functions/x")
    given(MANAGER, line_set()).when(manager.decide, moved).then(line_set(function="functions/x"))
    given(MANAGER, line_set()).when(manager.decide, place(None)).then(line_set(""))


def test_nobody_reports_to_himself() -> None:
    """Neither directly nor through others."""
    for above in (("managers/ada",), ("managers/bo", "managers/ada")):
        outcome = given(MANAGER).when(manager.decide, place(above[0], above=above))
        outcome.refused(Refusal, "CYCLE", name="managers/ada")


def granted(key: str = "1", cents: int = 50_000, **fields: Any) -> events.AuthorityGranted:
    return events.AuthorityGranted(
        event_time=AT,
        authority=f"managers/ada/authorities/{key}",
        manager="managers/ada",
        limit=to_message(cents, "EUR"),
        **fields,
    )


def revoked(key: str = "1") -> events.AuthorityRevoked:
    name = f"managers/ada/authorities/{key}"
    return events.AuthorityRevoked(event_time=AT, authority=name, manager="managers/ada")


def grant(key: str = "1", **fields: Any) -> GrantAuthority:
    usual = {
        "authority": f"managers/ada/authorities/{key}",
        "manager": "managers/ada",
        "limit": to_message(50_000, "EUR"),
    }
    return GrantAuthority.model_validate(usual | fields)


REVOKE = RevokeAuthority(name="managers/ada/authorities/1")


def test_authority_is_granted_and_taken_back() -> None:
    """Scope and kinds are kept once each and sorted; taking back twice is taking back once."""
    command = grant(functions=["functions/b", "functions/a"], kinds=[OFFER, ANSWER, OFFER])
    expected = granted(functions=["functions/a", "functions/b"], kinds=[ANSWER, OFFER])
    given(MANAGER).when(manager.decide, command).then(expected)
    given(MANAGER, granted()).when(manager.decide, REVOKE).then(revoked())
    given(MANAGER, granted(), revoked()).when(manager.decide, REVOKE).then()
    given(MANAGER).when(manager.decide, REVOKE).refused(NotFound)


def test_a_manager_has_so_many_authorities_at_most() -> None:
    """The hundred-and-first is refused, and granted once another was taken back."""
    many = [granted(str(number)) for number in range(MOST_AUTHORITIES)]
    outcome = given(MANAGER, *many).when(manager.decide, grant("new"))
    outcome.refused(Refusal, "TOO_MANY_AUTHORITIES", manager="managers/ada")
    given(MANAGER, *many, revoked("7")).when(manager.decide, grant("new")).then(granted("new"))


@pytest.mark.parametrize(
    ("functions", "kind", "currency", "cents"),
    [
        ({"functions/a"}, ANSWER, "EUR", 70_000),
        ({"functions/a"}, OFFER, "EUR", 50_000),
        ({"functions/a"}, None, "EUR", 50_000),
        ({"functions/below", "functions/a"}, ANSWER, "EUR", 70_000),
        ({"functions/other"}, ANSWER, "EUR", 50_000),
        ({"functions/a"}, ANSWER, "USD", None),
    ],
)
def test_the_highest_limit_that_fits_counts(
    functions: set[str], kind: int | None, currency: str, cents: int | None
) -> None:
    """By function (or one above), by kind and by currency; what was taken back does not count."""
    answers = granted("2", 70_000, functions=["functions/a"], kinds=[ANSWER])
    history = (granted(), answers, granted("3", 90_000), revoked("3"))
    limit = given(MANAGER, *history).state.limit(functions, kind, currency)
    assert limit == (None if cents is None else Money(currency_code="EUR", minor=cents))


def test_a_walk_upwards_always_ends() -> None:
    """At the top, where it meets somebody again, and after 64: no circle and no tower holds it."""
    circle = {"a": "b", "b": "c", "c": "b"}
    tower = {str(number): str(number + 1) for number in range(1000)}

    async def above(name: str, parents: dict[str, str]) -> list[str]:
        async def parent(of: str) -> str:
            return parents.get(of, "")

        return await upwards(name, parent)

    assert asyncio.run(above("a", {"a": "b", "b": "c"})) == ["b", "c"]
    assert asyncio.run(above("a", circle)) == ["b", "c"]
    assert asyncio.run(above("a", {"a": "a"})) == []
    assert asyncio.run(above("0", tower)) == [str(number) for number in range(1, DEPTH + 1)]
