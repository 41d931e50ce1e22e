"""What a decider remembers may be behind the log; what it answers never is."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from equiloop.feedback.v1.events_pb2 import FeedbackCoded
from google.protobuf.message import Message

from libs.contract.events import CODEC
from libs.decider import Aggregate, Known, Request
from libs.decider.decider import ATTEMPTS
from libs.decider.history import Histories
from libs.eventstore.port import Appended, EventStore, Expected, ExpectedState, NewEvent
from libs.kernel.refusals import Contended, NotFound, Refusal, Stale
from services.feedback.service.means import FEEDBACK
from tests.contract.decider.scene import code, decider, log, names, record, recording
from tests.specs.feedback.facts import received


async def test_a_stale_etag_is_refused(embedded: EventStore) -> None:
    """An etag that is not the present one is refused with the present one, and nothing happens."""
    by = decider(embedded)
    await record(by, recording())
    await code(by, "battery", etag=0)
    with pytest.raises(Stale) as caught:
        await code(by, "screen", etag=0)
    assert caught.value.metadata["etag"] == "1"
    assert len(await log(embedded)) == 2


async def test_an_etag_is_compared_with_the_log(embedded: EventStore) -> None:
    """A memory that is behind neither refuses the present etag nor accepts its own."""
    behind, ahead = decider(embedded), decider(embedded)
    await record(behind, recording())
    await code(ahead, "battery")
    with pytest.raises(Stale):
        await code(behind, "screen", etag=0)
    await code(ahead, "price")
    assert (await code(behind, "screen", etag=2)).revision == 3


async def test_a_refusal_from_stale_memory_is_not_believed(embedded: EventStore) -> None:
    """What memory says is missing, but another process has made since, is found."""
    behind, ahead = decider(embedded), decider(embedded)
    with pytest.raises(NotFound):
        await code(behind, "battery")
    await record(ahead, recording())
    assert (await code(behind, "battery")).changed


SWITCH: Aggregate[int] = Aggregate("switch", "switches", 0, lambda state, _: 1 - state)


def turn(wanted: int, state: int, _: datetime) -> Sequence[Message]:
    """Turn a switch on or off; nothing follows where it is so already."""
    return [] if state == wanted else [received()]


async def test_nothing_to_do_from_stale_memory_is_not_believed(embedded: EventStore) -> None:
    """A switch that is off as memory has it, but on in the log, is turned off."""
    on, off = partial(turn, 1), partial(turn, 0)
    behind, ahead = decider(embedded), decider(embedded)
    for by, way in ((behind, on), (behind, off), (ahead, on), (behind, off)):
        assert (await by.handle(SWITCH, "1", way, Request())).changed
    assert not (await ahead.handle(SWITCH, "1", off, Request())).changed


@pytest.mark.parametrize("processes", [1, 2], ids=["one process", "two processes"])
async def test_fifty_at_once_are_all_done(embedded: EventStore, processes: int) -> None:
    """Fifty changes to one thing at the same time are all made, one after the other."""
    by = [decider(embedded) for _ in range(processes)]
    await record(by[0], recording())
    calls = [code(by[i % processes], f"theme-{i}") for i in range(50)]
    answers = await asyncio.gather(*calls)
    assert sorted(answer.revision for answer in answers) == list(range(1, 51))
    _, *codings = [CODEC.decode(event) for event in await log(embedded)]
    themes = {each.themes[0] for each in codings if isinstance(each, FeedbackCoded)}
    assert themes == {f"theme-{i}" for i in range(50)}


class Crowded:
    """A store at which somebody else is always first."""

    def __init__(self, store: EventStore) -> None:
        self._store, self.tries = store, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(
        self, stream: str, events: Sequence[NewEvent], expected: ExpectedState
    ) -> Appended:
        self.tries += 1
        await code(decider(self._store), "first")
        return await self._store.append(stream, events, expected)


async def test_who_loses_every_race_is_told_so(embedded: EventStore) -> None:
    """A thing that changes whenever we look is refused as contended, after bounded tries."""
    crowded = Crowded(embedded)
    await record(decider(embedded), recording())
    with pytest.raises(Contended):
        await code(decider(crowded), "second")
    assert 1 < crowded.tries <= ATTEMPTS
    assert len(await log(embedded)) == 1 + crowded.tries


async def test_what_was_ended_is_not_there(embedded: EventStore) -> None:
    """A thing whose stream was deleted or ended for ever is answered as no thing."""
    by = decider(embedded)
    for key in ("17", "18"):
        await record(by, recording(source_id=key))
    await embedded.delete("feedback-17", Expected.ANY)
    await embedded.tombstone("feedback-18", Expected.ANY)
    for key in ("17", "18", "19"):
        assert await by.load(FEEDBACK, key) is None
    assert (await record(by, recording())).revision == 1


async def test_memory_is_bounded(embedded: EventStore) -> None:
    """Only the things used last are kept, and what was forgotten is read again."""
    histories = Histories(embedded, CODEC, capacity=2)
    by = decider(embedded)
    for key in "abc":
        await record(by, recording(source_id=key))
        await histories.read(FEEDBACK, f"feedback-{key}")
    assert histories.cached(FEEDBACK, "feedback-a") is None
    assert histories.cached(FEEDBACK, "feedback-b") is not None
    assert (await histories.read(FEEDBACK, "feedback-a")).revision == 0


async def test_what_exists_is_known(embedded: EventStore) -> None:
    """Existence is asked of the log, by category, and remembered within bounds."""
    known = Known(embedded, "feedback", capacity=2)
    assert await known.missing(["17", "18"]) == {"17", "18"}
    await record(decider(embedded), recording())
    assert await known.has("17")
    assert await known.missing(["17", "18", "17"]) == {"18"}
    assert not await Known(embedded, "customer").has("17")
    for key in "abcdef":
        known.add(key)
    assert await known.has("17")
    assert await known.has("f")


async def test_what_was_ended_is_not_known(embedded: EventStore) -> None:
    """A thing that was deleted or ended for ever is missing."""
    for key in ("17", "18"):
        await record(decider(embedded), recording(source_id=key))
    await embedded.delete("feedback-17", Expected.ANY)
    await embedded.tombstone("feedback-18", Expected.ANY)
    assert await Known(embedded, "feedback").missing(["17", "18"]) == {"17", "18"}
    assert await names(embedded) == ["FeedbackReceived"] * 2
    with pytest.raises(Refusal):
        await code(decider(embedded), "battery", key="17")
