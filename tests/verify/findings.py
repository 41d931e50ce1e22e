"""The checker: what was sent and what was acknowledged, held against the log.

It knows nothing of how a store works. What was begun may be in the log; what was acknowledged
must be there, where and as it was said to be; nothing else may.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from libs.eventstore.port import RecordedEvent
from tests.verify.commands import Command

Key = tuple[int, int]
"""Writer and number of a command."""


class Told(NamedTuple):
    """The answer to a command: where its last event stands, and when that was heard (ns)."""

    revision: int
    position: int
    at: int


class Begun(NamedTuple):
    """A command, and when it was begun for the first time (ns)."""

    command: Command
    at: int


class Finding(NamedTuple):
    """A promise that was broken, and where that shows."""

    kind: str
    where: str


@dataclass
class Found:
    """What a run found; subclasses say what it did."""

    findings: list[Finding] = field(default_factory=list)

    @property
    def kinds(self) -> Counter[str]:
        """How often each kind of promise was found broken."""
        return Counter(finding.kind for finding in self.findings)

    def has(self, kind: str) -> bool:
        """Say whether anything of this kind was found; anything at all, if none is named."""
        return kind in self.kinds if kind else bool(self.findings)


PROMISES = ("lost", "phantom", "doubled", "torn", "misplaced", "altered", "disordered", "untimely")
"""As what a broken promise of the log shows."""


def tally(findings: Iterable[Finding], kinds: Iterable[str] = PROMISES) -> str:
    """Answer how often each kind was found."""
    counts = Counter(finding.kind for finding in findings)
    return ", ".join(f"{counts[kind]} {kind}" for kind in kinds)


class _Place(NamedTuple):
    part: int  # its place among the events of its command
    ordinal: int  # its place among all events of the log
    revision: int
    position: int


def examine(
    log: Sequence[RecordedEvent], begun: Mapping[Key, Begun], told: Mapping[Key, Told]
) -> list[Finding]:
    """Answer what is wrong with a log; nothing, if all promises were kept."""
    ids = {
        event.id: (key, index)
        for key, (command, _) in begun.items()
        for index, event in enumerate(command.events())
    }
    findings: list[Finding] = []
    places: dict[Key, list[_Place]] = defaultdict(list)
    for ordinal, event in enumerate(log):
        owner = ids.get(event.id)
        if owner is None:
            findings.append(Finding("phantom", f"{event.id} at {event.position}"))
        else:
            key, index = owner
            places[key].append(_Place(index, ordinal, event.revision, event.position))
    findings += _order(log)
    findings += _contents(log, ids, begun)
    for key, found in places.items():
        findings += _whole(key, found, len(begun[key].command.cents))
    for key, answer in told.items():
        findings += _kept(key, answer, places.get(key, ()))
    findings += _turns(places, begun)
    findings += _times(places, begun, told)
    return findings


def _order(log: Sequence[RecordedEvent]) -> Iterable[Finding]:
    """Positions increase, and the revisions of each stream go on without a gap."""
    position, revisions = 0, defaultdict[str, int](lambda: -1)
    for event in log:
        if event.position <= position:
            yield Finding("disordered", f"position {event.position} after {position}")
        if event.revision != revisions[event.stream] + 1:
            yield Finding("disordered", f"{event.stream} at {event.position}: {event.revision}")
        position, revisions[event.stream] = event.position, event.revision


def _contents(
    log: Sequence[RecordedEvent],
    ids: Mapping[UUID, tuple[Key, int]],
    begun: Mapping[Key, Begun],
) -> Iterable[Finding]:
    """Every byte is as it was sent, and decided on what stands before it."""
    for event in log:
        if event.id not in ids:
            continue
        key, index = ids[event.id]
        command = begun[key].command
        sent = command.events(event.revision - index)[index]
        is_as_sent = (event.stream, event.type, event.data, event.metadata) == (
            command.stream,
            sent.type,
            sent.data,
            sent.metadata,
        )
        if not is_as_sent:
            yield Finding("altered", f"command {key}, event {index} at {event.position}")


def _whole(key: Key, found: Sequence[_Place], size: int) -> Iterable[Finding]:
    """An append is in the log once, all of it, in one piece."""
    first = found[0]
    places = [(place.part, place.ordinal, place.revision) for place in found]
    if len({place.part for place in found}) < len(found):
        yield Finding("doubled", f"command {key} at {[place.position for place in found]}")
    elif places != [(i, first.ordinal + i, first.revision + i) for i in range(size)]:
        yield Finding("torn", f"command {key}: {found} of {size} events")


def _kept(key: Key, answer: Told, found: Sequence[_Place]) -> Iterable[Finding]:
    """What was acknowledged is there, where it was said to be."""
    if not found:
        yield Finding("lost", f"command {key}, acknowledged at {answer.position}")
    elif (found[-1].revision, found[-1].position) != (answer.revision, answer.position):
        yield Finding("misplaced", f"command {key}: told {answer}, found {found[-1]}")


def _turns(places: Mapping[Key, Sequence[_Place]], begun: Mapping[Key, Begun]) -> Iterable[Finding]:
    """In each stream the commands of a writer stand in the order in which it sent them."""
    last: dict[tuple[int, str], int] = {}
    for writer, number in sorted(places):
        place = writer, begun[writer, number].command.stream
        position = places[writer, number][0].position
        if position < last.get(place, 0):
            yield Finding("disordered", f"command {(writer, number)} at {position}")
        last[place] = position


def _times(
    places: Mapping[Key, Sequence[_Place]], begun: Mapping[Key, Begun], told: Mapping[Key, Told]
) -> Iterable[Finding]:
    """What was acknowledged before another was begun stands before it."""
    earliest = None
    for key, found in sorted(places.items(), key=lambda item: item[1][0].position, reverse=True):
        if earliest is not None and earliest < begun[key].at:
            yield Finding("untimely", f"command {key} at {found[0].position}")
        answer = told.get(key)
        if answer is not None and (earliest is None or answer.at < earliest):
            earliest = answer.at
