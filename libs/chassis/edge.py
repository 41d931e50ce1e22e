"""What every gRPC edge does with a thing by its name: look it up, or change it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message

from libs.chassis.call import current
from libs.decider import Aggregate, Decider, Handled
from libs.kernel.refusals import NotFound
from libs.kernel.values import id_of

S = TypeVar("S")


async def get(decider: Decider, aggregate: Aggregate[S], name: str) -> Handled[S]:
    """Answer the thing called ``name`` as the log has it now; raise NotFound if there is none."""
    handled = None
    if name == aggregate.name(id_of(name)):
        handled = await decider.load(aggregate, id_of(name))
    if handled is None:
        raise NotFound(name)
    return handled


class Change(Protocol):
    """A command on a thing that there is: which, and in which state the caller has seen it."""

    @property
    def name(self) -> str:
        """The thing's resource name."""
        ...

    @property
    def etag(self) -> int | None:
        """The revision that must be the present one, if the caller cares."""
        ...


async def change(
    decider: Decider,
    aggregate: Aggregate[S],
    command: Change,
    decide: Callable[[Any, S, datetime], Sequence[Message]],
    request: Message,
) -> Handled[S]:
    """Let ``decide`` change the thing that ``command`` names, because of ``request``.

    The position reached goes back in the call's trailing metadata. Raises as Decider.handle does.
    """
    call = current()
    handled = await decider.handle(
        aggregate,
        id_of(command.name),
        partial(decide, command),
        call.request(request),
        etag=command.etag,
    )
    call.wrote(handled.position)
    return handled
