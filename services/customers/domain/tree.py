"""Trees of functions and of managers: nothing stands above itself, and no line goes on for ever."""

from collections.abc import Awaitable, Callable, Sequence

from libs.kernel.refusals import Refusal

DEPTH = 64
"""Longest line upwards: most that may stand above one function or manager."""


def not_below(name: str, above: Sequence[str]) -> None:
    """Refuse to place ``name`` below ``above``, a line of at most DEPTH, the nearest first."""
    if name in above:
        message = f"{name!r} would stand above itself: {' → '.join((name, *above))}"
        raise Refusal("CYCLE", message, name=name)
    if len(above) >= DEPTH:
        message = f"more than {DEPTH - 1} would stand above {above[0]!r} already"
        raise Refusal("TOO_DEEP", message, name=name)


async def upwards(name: str, parent: Callable[[str], Awaitable[str]]) -> list[str]:
    """Answer what stands above ``name``, the nearest first, as ``parent`` answers it one by one.

    It ends at the top, after DEPTH, and where it would come to the same again: two instances
    that move two things at once may close a cycle that neither of them sees.
    """
    line: list[str] = []
    seen = {name}
    while len(line) < DEPTH:
        name = await parent(name)
        if not name or name in seen:
            break
        line.append(name)
        seen.add(name)
    return line
