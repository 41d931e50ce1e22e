"""One fitted model: fitted once, kept for ever. Fitting is not decided here, its outcome is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from equiloop.metrics.v1 import events_pb2 as events
from google.protobuf.message import Message
from pydantic import AfterValidator

from libs.kernel.money import currency
from libs.kernel.refusals import AlreadyExists
from libs.kernel.values import Command, Instant, Label, known, resource, timestamp


class Selection(Command):
    """What to fit, and on which customers' purchases up to which instant."""

    kind: Annotated[int, known(events.ModelKind)]
    cohort: Label | None = None
    as_of: Instant
    currency_code: Annotated[str, AfterValidator(currency)]

    def message(self) -> events.FitSelection:
        """Answer the selection as the contract writes it."""
        return events.FitSelection(
            cohort=self.cohort or "",
            as_of=timestamp(self.as_of),
            currency_code=self.currency_code,
        )


class KeepModel(Command):
    """A model was fitted and is to be kept.

    ``parameters`` by their names in the literature (weeks, major units); ``customer_count`` is
    how many entered the likelihood, ``fitted_on_position`` how far the log was looked at.
    """

    model: Annotated[str, resource("models")]
    selection: Selection
    parameters: tuple[tuple[str, float], ...]
    log_likelihood: float
    customer_count: int
    fitted_on_position: int


@dataclass(frozen=True, slots=True)
class Model:
    """A model; ``fitted`` is None until it was."""

    fitted: events.ModelFitted | None = None


INITIAL = Model()


def decide(command: KeepModel, state: Model, now: datetime) -> Sequence[Message]:
    """Answer what follows from ``command``."""
    if state.fitted is not None:
        message = f"{command.model!r} was fitted before"
        raise AlreadyExists("MODEL_EXISTS", message, model=command.model)
    return [
        events.ModelFitted(
            event_time=timestamp(now),
            model=command.model,
            kind=events.ModelKind.ValueType(command.selection.kind),
            selection=command.selection.message(),
            parameters=[
                events.Parameter(name=name, value=value) for name, value in command.parameters
            ],
            log_likelihood=command.log_likelihood,
            customer_count=command.customer_count,
            fitted_on_position=command.fitted_on_position,
        )
    ]


def evolve(state: Model, event: Message) -> Model:
    """Answer ``state`` after ``event``."""
    match event:
        case events.ModelFitted():
            return Model(event)
    return state
