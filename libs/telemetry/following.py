"""How what follows the log gets on, as metrics.

Declared here, each with the attribute `equiloop.follower` (the projection's or policy's name):

- gauge `equiloop.follower.position`: position up to which the log has been dealt with
- gauge `equiloop.follower.head`: position of the log's head
- gauge `equiloop.follower.lag` in s: how long it has been behind the head; 0: it is not
- gauge `equiloop.follower.alarm`: 1 while the head moves and it does not, else 0
- counter `equiloop.follower.alarms`: how often that alarm was raised
- gauge `equiloop.follower.parked_streams`: streams that its views hold back
- gauge `equiloop.follower.held_back_events`: events of those that views wait for
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from opentelemetry.metrics import CallbackOptions, Meter, Observation


@dataclass(frozen=True, slots=True)
class Followed:
    """One measurement of one follower."""

    name: str
    position: int
    head: int
    lag: float
    alarm: bool
    alarms: int
    parked_streams: int = 0
    held_back_events: int = 0


Measure = Callable[[], Iterable[Followed]]
Observe = Callable[[CallbackOptions], Iterable[Observation]]


def declare(meter: Meter, measure: Measure) -> None:
    """Have ``measure`` asked whenever metrics are read."""

    def of(field: str) -> Observe:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            for each in measure():
                yield Observation(getattr(each, field), {"equiloop.follower": each.name})

        return observe

    for field in ("position", "head", "alarm", "parked_streams", "held_back_events"):
        meter.create_observable_gauge(f"equiloop.follower.{field}", [of(field)])
    meter.create_observable_gauge("equiloop.follower.lag", [of("lag")], unit="s")
    meter.create_observable_counter("equiloop.follower.alarms", [of("alarms")])
