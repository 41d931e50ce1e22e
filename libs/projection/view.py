"""A view answers one question: its tables, how events change them, and its query."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from google.protobuf.message import Message

from libs.projection.database import Connection, Fact

C_contra = TypeVar("C_contra", bound=Connection, contravariant=True)


class View(Protocol, Generic[C_contra]):
    """One read model, kept in one database together with the others of its service.

    ``schema`` is DDL, ``tables`` what it makes (for comparing a rebuilt view with the live one),
    ``handles`` the events it folds. Change ``version`` when the fold means something else: the
    service then builds its read models anew from the log.

    A view may say ``by_stream = True`` when what it makes of a stream does not depend on whether
    events of other streams, or of streams in other views, came before or after. Held-back streams
    of such a view can be folded later, and the rows are those of a replay. Rows of any other view
    are made anew when the service starts after that.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - the class says it
    @property
    def version(self) -> int: ...  # noqa: D102
    @property
    def schema(self) -> str: ...  # noqa: D102
    @property
    def tables(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def handles(self) -> frozenset[type[Message]]: ...  # noqa: D102

    def fold(self, db: C_contra, facts: Sequence[Fact]) -> None:
        """Change the rows by ``facts`` (of the handled types, in log order), in a transaction."""
        ...


def is_by_stream(view: View[Any]) -> bool:
    """Say whether a view has said that streams do not meet in it."""
    return bool(getattr(view, "by_stream", False))


Folds = Mapping[type[Message], Callable[[Any, Any, Fact], None]]


def fold_each(folds: Folds, db: Any, facts: Sequence[Fact]) -> None:
    """Fold facts one by one: ``folds[type](db, event, fact)``."""
    for fact in facts:
        folds[type(fact.event)](db, fact.event, fact)
