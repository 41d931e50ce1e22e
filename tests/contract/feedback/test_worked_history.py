"""The definitions of the funnel, met on a history of forty events worked out on paper.

Customers A to D are registered on day 0 (events 1–4): A and B are `gold`, C and D are not.

    event  day  what happens
    5      1    f1: A on the web            6     2  f2: B by mail
    7      3    f3: C on the web            8     4  f4: nobody known, in a review
    9      5    f5: A on the web            10    6  f6: D by mail
    11     8    f7: C on the web            12   10  f8: B by phone
    13     25   f9: D on the web
    14     1    f1 is about battery         15    2  f2 about battery and price
    16     3    f3 about price              17    4  f4 about battery
    18     5    f5 about screen             19    6  f6 about price
    20     7    f5 is coded again: it is about battery
    21     8    X1 is committed by research: f1, f2, f4
    22     9    X2 is committed by sales: f2, f3
    23     10   X3 (product; f6) is over the limit of whoever asks for it: escalated
    24     11   X1 is completed
    25     12   f1 is told of X1            26   12  f2 is told of X1
    27     13   X2 is declined, with a reason
    28     14   f3 is told of X2
    29     15   B protests: f2 is open again
    30     16   X4 is committed by service: f5
    31     17   X4 is completed
    32     18   f5 is told of X4
    33     19   f2 is told of X2
    34     20   X1 is reopened: f1, which it had closed, is open again
    35     21   f7 is linked to X1
    36     22   X3 is approved: committed
    37     24   X1 is completed again
    38     26   f1 is told of X1 again
    39     27   C confirms that f3 was answered (nothing is counted of it here)
    40     28   f4 turns out to be D's

Window: days 0 to 20, so f1 to f8 (f9 came later): 8 received.

As of day 30. Links: X1 has f1, f2, f4, f7; X2 f2, f3; X3 f6; X4 f5: 8 links, and 7 items have one
(not f8). Standing actions: X1, X3, X4, so f1, f2, f4, f7, f6, f5 are committed: 6. Completed: X1
and X4, so f1, f2, f4, f7, f5: 5. Declined and nothing completed: f3: 1. Told: f1 on day 26, f2 on
19, f3 on 14, f5 on 18: 4; open: f4, f6, f7, f8, of which none was ever told. Feedback to action is
5/8, the closed-loop rate 4/8. Days to told: f3 11, f5 13, f2 17, f1 25; waiting so far: f8 20,
f7 22, f6 24, f4 26. S = 7/8 after 11, × 6/7 = 6/8 after 13, × 5/6 = 5/8 after 17; at 25 only f1
and f4 are left: × 1/2 = 5/16. The median is 25 days.

As of day 19.5. X1 is done (since day 11), X2 declined, X3 escalated, X4 done; f7 is not linked yet:
7 links, 6 items. Committed and completed alike: f1, f2, f4, f5: 4; declined f3: 1. Told: f1 (day
12), f2 (by X2 on 19; what X1 told does not hold), f3 (14), f5 (18): 4. Days: f1 11, f3 11, f5 13,
f2 17; waiting: f8 9.5, f7 11.5, f6 13.5, f4 15.5. After 9.5 seven are left: S = 5/7 after 11; f7
leaves; × 3/4 = 15/28 after 13; f6 and f4 leave; × 0 after 17. The median is 17 days.

As of day 15.5 f2 is open once more, and f5 still: told are f1 and f3; one was opened again (f2).
As of day 20.5 f1 is open: told are f2, f3, f5; and X1 is committed, not completed.

About battery, by the latest coding on day 30: f1, f2, f4, f5; told 3 of them. On day 6.5 f5 was
about the screen still: f1, f2, f4. About the screen on day 6.5: f5, and on day 30 nothing.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from equiloop.customers.v1 import events_pb2 as customers
from equiloop.feedback.v1 import events_pb2 as events
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from libs.kernel.values import timestamp
from libs.projection.sqlite import SqliteDatabase
from services.feedback.funnel import Funnel, History, Question, count
from services.feedback.views.facts import FeedbackFacts
from services.feedback.views.inbox import micros
from tests.contract.log import START, facts

RESEARCH, SALES, PRODUCT, SERVICE = (
    f"functions/{name}" for name in ("research", "sales", "product", "service")
)


def day(number: float) -> Timestamp:
    """An instant, in days from the first."""
    return timestamp(START + timedelta(days=number))


def _said(number: int, at: float, customer: str, channel: events.Channel.ValueType) -> Message:
    return events.FeedbackReceived(
        event_time=day(at),
        feedback=f"feedback/f{number}",
        customer=customer and f"customers/{customer}",
        channel=channel,
        receive_time=day(at),
    )


def _about(number: int, at: float, *themes: str) -> Message:
    return events.FeedbackCoded(event_time=day(at), feedback=f"feedback/f{number}", themes=themes)


def _names(numbers: tuple[int, ...]) -> list[str]:
    return [f"feedback/f{number}" for number in numbers]


def _promised(action: str, at: float, owner: str, *numbers: int, approved: str = "") -> Message:
    return events.ActionCommitted(
        event_time=day(at),
        action=f"actions/{action}",
        owner=owner,
        feedback=_names(numbers),
        approved_by=approved,
    )


def _told(action: str, at: float, number: int) -> Message:
    return events.LoopClosed(
        event_time=day(at),
        action=f"actions/{action}",
        feedback=f"feedback/f{number}",
        told_time=day(at),
    )


def _done(action: str, at: float) -> Message:
    return events.ActionCompleted(event_time=day(at), action=f"actions/{action}")


def _registered(key: str, *segments: str) -> Message:
    return customers.CustomerRegistered(
        event_time=day(0), customer=f"customers/{key}", segments=segments
    )


WEB, MAIL = events.CHANNEL_WEB, events.CHANNEL_EMAIL

HISTORY: tuple[Message, ...] = (
    _registered("a", "gold"),
    _registered("b", "gold"),
    _registered("c"),
    _registered("d"),
    _said(1, 1, "a", WEB),
    _said(2, 2, "b", MAIL),
    _said(3, 3, "c", WEB),
    _said(4, 4, "", events.CHANNEL_REVIEW),
    _said(5, 5, "a", WEB),
    _said(6, 6, "d", MAIL),
    _said(7, 8, "c", WEB),
    _said(8, 10, "b", events.CHANNEL_PHONE),
    _said(9, 25, "d", WEB),
    _about(1, 1, "battery"),
    _about(2, 2, "battery", "price"),
    _about(3, 3, "price"),
    _about(4, 4, "battery"),
    _about(5, 5, "screen"),
    _about(6, 6, "price"),
    _about(5, 7, "battery"),
    _promised("x1", 8, RESEARCH, 1, 2, 4),
    _promised("x2", 9, SALES, 2, 3),
    events.ActionEscalated(
        event_time=day(10), action="actions/x3", owner=PRODUCT, feedback=_names((6,))
    ),
    _done("x1", 11),
    _told("x1", 12, 1),
    _told("x1", 12, 2),
    events.ActionDeclined(event_time=day(13), action="actions/x2", reason="too dear"),
    _told("x2", 14, 3),
    events.LoopProtested(
        event_time=day(15), action="actions/x1", feedback="feedback/f2", respond_time=day(15)
    ),
    _promised("x4", 16, SERVICE, 5),
    _done("x4", 17),
    _told("x4", 18, 5),
    _told("x2", 19, 2),
    events.ActionReopened(event_time=day(20), action="actions/x1", feedback=_names((1,))),
    events.ActionLinked(event_time=day(21), action="actions/x1", feedback=_names((7,))),
    _promised("x3", 22, PRODUCT, 6, approved="managers/m"),
    _done("x1", 24),
    _told("x1", 26, 1),
    events.LoopConfirmed(
        event_time=day(27), action="actions/x2", feedback="feedback/f3", respond_time=day(27)
    ),
    events.FeedbackAttributed(event_time=day(28), feedback="feedback/f4", customer="customers/d"),
)

Ask = Callable[..., Funnel]
DAY = 86_400_000_000


@pytest.fixture(params=["at once", "as it happens"])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ask]:
    """Ask of the history's window, folded at once or looked at after every event."""
    view, database = FeedbackFacts(), SqliteDatabase(tmp_path)
    database.open([view.schema], "test")
    history = History(database.another_reader())
    known = [fact for fact in facts(*HISTORY) if type(fact.event) in view.handles]
    parts = [known] if request.param == "at once" else [[fact] for fact in known]
    for part in parts:
        position = part[-1].recorded.position
        database.write(position, lambda db, part=part: view.fold(db, part))  # type: ignore[misc]
        if len(parts) > 1:
            count(history, Question(now=0))

    def put(as_of: float = 30, end: float = 20, **narrowed: object) -> Funnel:
        at = micros(day(as_of))
        window = {"start": micros(day(0)), "end": micros(day(end)), "as_of": at}
        return count(history, Question(now=at, **window, **narrowed))  # type: ignore[arg-type]

    yield put
    database.close()


def test_forty_events_are_told() -> None:
    """The history is as long as the page says."""
    assert len(HISTORY) == 40


def test_the_funnel_is_as_worked_out(ask: Ask) -> None:
    """From received to told, as of day 30."""
    funnel = ask()
    assert (funnel.received, funnel.linked, funnel.committed, funnel.completed) == (8, 7, 6, 5)
    assert (funnel.declined, funnel.told, funnel.reopened, funnel.links) == (1, 4, 0, 8)


def test_the_time_to_close_is_as_worked_out(ask: Ask) -> None:
    """Kaplan and Meier's curve with those who wait censored, and its median."""
    closing = ask().closing
    assert [micros_ // DAY for micros_ in closing.durations.tolist()] == [11, 13, 17, 25]
    assert closing.shares.tolist() == pytest.approx([7 / 8, 6 / 8, 5 / 8, 5 / 16])
    assert closing.at_risk.tolist() == [8, 7, 6, 2]
    assert closing.median == 25 * DAY


def test_the_past_is_as_it_was(ask: Ask) -> None:
    """As of day 19.5 nothing counts that happened later, and the past is not told from its end."""
    funnel = ask(as_of=19.5)
    assert (funnel.received, funnel.linked, funnel.committed, funnel.completed) == (8, 6, 4, 4)
    assert (funnel.declined, funnel.told, funnel.reopened, funnel.links) == (1, 4, 0, 7)
    assert funnel.closing.durations.tolist() == [11 * DAY, 13 * DAY, 17 * DAY]
    assert funnel.closing.shares.tolist() == pytest.approx([5 / 7, 15 / 28, 0])
    assert funnel.closing.median == 17 * DAY


@pytest.mark.parametrize(
    ("as_of", "told", "reopened", "completed"), [(15.5, 2, 1, 3), (20.5, 3, 1, 1), (21.5, 3, 1, 1)]
)
def test_loops_that_were_opened_again(
    ask: Ask, as_of: float, told: int, reopened: int, completed: int
) -> None:
    """A protest opens one loop, a reopened action all that it closed."""
    funnel = ask(as_of=as_of)
    assert (funnel.told, funnel.reopened, funnel.completed) == (told, reopened, completed)


@pytest.mark.parametrize(
    ("theme", "as_of", "received", "told"),
    [("battery", 30, 4, 3), ("battery", 6.5, 3, 0), ("screen", 6.5, 1, 0), ("screen", 30, 0, 0)],
)
def test_themes_are_those_of_the_latest_coding_then(
    ask: Ask, theme: str, as_of: float, received: int, told: int
) -> None:
    """Coded again, feedback changes its theme, and the past keeps the one it had."""
    funnel = ask(as_of=as_of, theme=theme)
    assert (funnel.received, funnel.told) == (received, told)


@pytest.mark.parametrize(
    ("narrowed", "received", "told"),
    [
        ({"channel": int(MAIL)}, 2, 1),
        ({"segment": "gold"}, 4, 3),
        ({"segment": "nobody"}, 0, 0),
        ({"function": RESEARCH}, 4, 2),
        ({"function": PRODUCT}, 1, 0),
        ({"function": "functions/none"}, 0, 0),
        ({"customer": "customers/d"}, 2, 0),
        ({"customer": "customers/nobody"}, 0, 0),
        ({"segment": "gold", "theme": "battery", "channel": int(WEB)}, 2, 2),
    ],
)
def test_filters_narrow_the_funnel(
    ask: Ask, narrowed: dict[str, object], received: int, told: int
) -> None:
    """By channel, segment, function, and customer as known by now; together they narrow more."""
    funnel = ask(**narrowed)
    assert (funnel.received, funnel.told) == (received, told)
