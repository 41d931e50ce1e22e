"""Many commands at once: each stands alone, and a re-run changes nothing."""

from collections.abc import Sequence
from dataclasses import replace

from libs.decider import Handled
from libs.eventstore.port import EventStore, Expected, StreamTombstoned, TooLarge
from libs.kernel.refusals import AlreadyExists, NotFound
from services.feedback.domain.feedback import Feedback
from services.feedback.service.means import FEEDBACK
from tests.contract.decider.scene import (
    attempt,
    code,
    coding,
    decider,
    log,
    names,
    record,
    recording,
)


def changed(answers: Sequence[object]) -> list[object]:
    """What each item came to: whether it changed anything, or which kind of refusal it was."""
    return [answer.changed if isinstance(answer, Handled) else type(answer) for answer in answers]


async def test_new_things_are_made_together(embedded: EventStore) -> None:
    """A hundred new things are a hundred answers, each with its own revision and position."""
    items = [attempt(recording(source_id=str(i))) for i in range(100)]
    answers = await decider(embedded).handle_new(FEEDBACK, items)
    handled: list[Handled[Feedback]] = [a for a in answers if isinstance(a, Handled)]
    assert changed(answers) == [True] * 100
    assert {answer.revision for answer in handled} == {0}
    assert [answer.position for answer in handled] == [
        event.position for event in await log(embedded)
    ]


async def test_a_rerun_changes_nothing(embedded: EventStore) -> None:
    """The same items again, and new ones among them, add only the new ones."""
    by = decider(embedded)
    items = [recording(source_id=str(i)) for i in range(40)]
    await by.handle_new(FEEDBACK, [attempt(item) for item in items[::2]])
    answers = await by.handle_new(FEEDBACK, [attempt(item) for item in items])
    assert changed(answers) == [False, True] * 20
    for again in (by, decider(embedded)):
        answers = await again.handle_new(FEEDBACK, [attempt(item) for item in items])
        assert changed(answers) == [False] * 40
    assert len(await log(embedded)) == 40


async def test_items_on_one_thing_are_handled_in_their_order(embedded: EventStore) -> None:
    """Of three items with one id, the same content is unchanged and other content refused."""
    items = [recording("dies"), recording("dies"), recording("lives"), recording(source_id="18")]
    answers = await decider(embedded).handle_new(FEEDBACK, [attempt(item) for item in items])
    assert changed(answers) == [True, False, AlreadyExists, True]
    assert await names(embedded) == ["FeedbackReceived"] * 2


async def test_a_refusal_on_a_guess_is_not_believed(embedded: EventStore) -> None:
    """An item is not refused because its thing was taken for new when it is not."""
    by = decider(embedded)
    await record(by, recording())
    items = [coding("17", "battery"), coding("99", "battery"), coding("17", "screen")]
    assert changed(await by.handle_new(FEEDBACK, items)) == [True, NotFound, True]
    handled = await by.load(FEEDBACK, "17")
    assert handled is not None
    assert handled.state.coded is not None
    assert list(handled.state.coded.themes) == ["screen"]


async def test_an_item_that_waits_for_the_one_before_it(embedded: EventStore) -> None:
    """A coding that comes before its feedback in one batch is refused, one after it is not."""
    items = [coding("17", "early"), attempt(recording()), coding("17", "late")]
    answers = await decider(embedded).handle_new(FEEDBACK, items)
    assert changed(answers) == [NotFound, True, True]


async def test_one_that_fails_hinders_no_other(embedded: EventStore) -> None:
    """An item whose name is too long for the log, or whose stream was ended, fails alone."""
    by = decider(embedded)
    await embedded.tombstone("feedback-ended", Expected.ANY)
    items = [attempt(recording(source_id=key)) for key in ("a", "long", "ended", "b")]
    items[1] = replace(items[1], key="x" * 600)
    answers = await by.handle_new(FEEDBACK, items)
    assert changed(answers) == [True, TooLarge, StreamTombstoned, True]


async def test_nothing_is_nothing(embedded: EventStore) -> None:
    """No items, no answers."""
    assert await decider(embedded).handle_new(FEEDBACK, []) == []


async def test_what_has_begun_is_changed_without_a_read(embedded: EventStore) -> None:
    """With its first event at hand a thing is decided on as that left it; if it went on, anew."""
    await record(decider(embedded), recording(source_id="17"))
    await record(decider(embedded), recording(source_id="18"))
    first, second = await log(embedded)
    await code(decider(embedded), "price", key="18")
    items = [
        replace(coding("17", "battery"), begun=first),
        replace(coding("18", "battery"), begun=second),
    ]
    by = decider(embedded)
    answers = await by.handle_new(FEEDBACK, items)
    assert changed(answers) == [True, True]
    assert [a.revision for a in answers if isinstance(a, Handled)] == [1, 2]
    assert changed(await by.handle_new(FEEDBACK, items)) == [False, False]
    assert (await names(embedded)).count("FeedbackCoded") == 3
