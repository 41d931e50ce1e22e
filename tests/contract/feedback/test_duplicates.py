"""Near-duplicates: found, grouped, never merged; measured on planted ones among reviews."""

import random
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from itertools import combinations
from pathlib import Path

import apsw
import pytest
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api
from google.protobuf.message import Message
from grpc import StatusCode

from deploy.demo.reviews import read_reviews
from services.feedback.domain.words import words
from services.feedback.views.duplicates import Duplicates
from services.feedback.views.firsts import WINDOW
from services.feedback.views.inbox import FeedbackInbox
from services.feedback.views.sketch import similarity, sketch
from tests.contract.chassis.serving import refused
from tests.contract.feedback.desk import Desk, paged
from tests.contract.log import facts, folded, rows

Views = tuple[FeedbackInbox, Duplicates]
TEMPLATE = "Dear {} team, my order {} has not arrived and nobody answers the phone since {}"


def said(number: int, text: str) -> events.FeedbackReceived:
    return events.FeedbackReceived(feedback=f"feedback/{number}", text=text)


def grouped(db: apsw.Connection) -> list[set[int]]:
    """The groups, as numbers of items."""
    found: defaultdict[int, set[int]] = defaultdict(set)
    for leader, name in db.execute("SELECT leader, feedback FROM duplicate"):
        found[int(str(leader))].add(int(str(name).partition("/")[2]))
    return sorted(found.values(), key=min)


def groups_of(folder: Path, texts: Sequence[str], views: Views | None = None) -> list[set[int]]:
    views = views or _within(WINDOW)
    log: list[Message] = [said(number, text) for number, text in enumerate(texts)]
    with folded(folder, views, facts(*log)) as database, database.read() as db:
        return grouped(db)


class Planter:
    """Review sentences that are unlike each other, and changed copies of some of them."""

    def __init__(self) -> None:
        self._chance = random.Random(11)
        texts = {one.text for one in read_reviews() if len(words(one.text)) >= 7}
        self.unlike: list[str] = []
        self._vocabulary = sorted({word for text in texts for word in words(text)})
        seen: set[str] = set()
        for text in sorted(texts):  # sentences of the same review repeat what it says
            pairs = {f"{a} {b}" for a, b in zip(words(text), words(text)[1:], strict=False)}
            if len(pairs & seen) * 4 <= len(pairs):
                self.unlike.append(text)
                seen |= pairs

    def copied(self, text: str) -> str:
        return f"  {text.upper()} !! "

    def changed(self, text: str) -> str:
        each = text.split()
        each[self._chance.randrange(len(each))] = self._chance.choice(self._vocabulary)
        return " ".join(each)

    def reordered(self, text: str) -> str:
        each = text.split()
        cut = self._chance.randrange(1, len(each))
        return " ".join(each[cut:] + each[:cut])

    def filled(self) -> str:
        name, day = self._chance.sample(["Anna", "Monday", "support", "Friday", "sales"], 2)
        return TEMPLATE.format(name, self._chance.randrange(10**6), day)


@pytest.mark.parametrize(
    ("kind", "at_least"), [("copied", 1.0), ("changed", 0.9), ("reordered", 0.95)]
)
def test_planted_duplicates_are_found(tmp_path: Path, kind: str, at_least: float) -> None:
    """Of 400 sentences among others, each said again: so many are found with theirs, no other."""
    planter = Planter()
    base = planter.unlike
    assert len(base) > 600
    again = [getattr(planter, kind)(text) for text in base[:400]]
    found = groups_of(tmp_path, [*base, *again])
    right = {(n, len(base) + n) for n in range(400)}
    pairs = {pair for group in found for pair in combinations(sorted(group), 2)}
    recall, precision = len(pairs & right) / 400, len(pairs & right) / len(pairs)
    print(f"{kind}: recall {recall:.3f}, precision {precision:.3f}")
    assert recall >= at_least
    assert precision >= 0.99


def test_a_template_makes_one_group(tmp_path: Path) -> None:
    """Letters that differ in names, days and numbers alone stand together."""
    planter = Planter()
    letters = [planter.filled() for _ in range(50)]
    found = groups_of(tmp_path, [*planter.unlike[:200], *letters])
    assert found == [set(range(200, 250))]


def test_unlike_texts_are_not_grouped(tmp_path: Path) -> None:
    """Sentences that share few pairs of words stand alone, all of them."""
    assert groups_of(tmp_path, Planter().unlike) == []


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("the battery dies at noon", "THE BATTERY -- dies, at noon!", True),
        ("order 4711 came late on 3 May", "order 99 came late on 17 May", True),
        ("thanks a lot friend", "thanks a lot friend", False),
        ("", "", False),
        ("電池が切れるのが早い", "電池が切れるのが早い。", True),
        ("x " * 2000, "x " * 2000, True),
    ],
    ids=["copy", "digits", "too short", "no words", "characters", "long"],
)
def test_what_is_compared(tmp_path: Path, one: str, other: str, together: bool) -> None:
    """Case, punctuation and digits are nothing; under five words there is nothing to tell."""
    assert groups_of(tmp_path, [one, other]) == [{0, 1}] * together


def test_an_item_joins_the_first_it_is_most_similar_to(tmp_path: Path) -> None:
    """Groups do not drift: what is like the second, but not like the first, stands alone."""
    letters = [f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(200)]
    texts = [" ".join(letters[start : start + 100]) for start in (0, 15, 40)]
    first, second, third = [sketch(text) or [] for text in texts]
    assert similarity(first, second) > 0.7
    assert similarity(second, third) >= 0.5
    assert similarity(first, third) < 0.5
    assert groups_of(tmp_path, texts) == [{0, 1}]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_batches_make_no_difference(tmp_path: Path, size: int) -> None:
    """The rows are the same however many events are folded at a time, items let go meanwhile."""
    log = facts(*(said(number, text) for number, text in enumerate(_many())))
    with folded(tmp_path, _within(20), log, batch=13) as whole:
        expected = rows(whole, _within(20))
    with folded(tmp_path, _within(20), log, batch=size) as parts:
        assert rows(parts, _within(20)) == expected
    assert expected["duplicate_group"]
    assert len(expected["wording"]) <= 20


@pytest.mark.parametrize("size", [1, 13])
def test_what_is_kept_in_memory_makes_no_difference(tmp_path: Path, size: int) -> None:
    """With a mirror that is read again before each batch, the rows are the same."""
    log = facts(*(said(number, text) for number, text in enumerate(_many())))
    with folded(tmp_path, _within(20), log) as whole:
        expected = rows(whole, _within(20))
    anew = _within(20)
    with folded(tmp_path, anew, (), batch=1) as parts:
        for start in range(0, len(log), size):
            some = log[start : start + size]
            for view in _within(20):
                parts.write(some[-1].recorded.position, partial(view.fold, facts=some))
        assert rows(parts, anew) == expected


def test_what_is_rolled_back_is_not_remembered(tmp_path: Path) -> None:
    """Items whose transaction failed are as if never seen, for those that come after them."""
    view = Duplicates()
    first, second, third = facts(*(said(number, "it is broken once more") for number in range(3)))
    with folded(tmp_path, (view,), [first]) as database:

        def fail(db: apsw.Connection) -> None:
            view.fold(db, facts(said(0, "another thing is wrong today"), said(8, "a b c d e f")))
            raise apsw.FullError

        with pytest.raises(apsw.FullError):
            database.write(9, fail)
        database.write(2, lambda db: view.fold(db, [second, third]))
        with database.read() as db:
            assert grouped(db) == [{0, 1, 2}]
            assert db.execute("SELECT count(*) FROM wording").get == 1


def test_what_is_old_is_let_go_unless_its_group_grows(tmp_path: Path) -> None:
    """Among the last ten, a copy after ten others stands alone, one of a living group does not."""
    fill = Planter().unlike
    texts = ["the one that is forgotten soon", "the other that always comes back"]
    for start in range(0, 20, 4):
        texts += [*fill[start : start + 4], texts[1]]
    texts += [texts[0]]
    assert groups_of(tmp_path, texts, _within(10)) == [{1, 6, 11, 16, 21, 26}]


def _within(window: int) -> Views:
    """The views, with duplicates looked for among so few."""
    return FeedbackInbox(), Duplicates(window)


def _many() -> list[str]:
    """Texts of which some are said again, changed or not, soon or late."""
    planter = Planter()
    texts = planter.unlike[:60]
    texts += [planter.changed(text) for text in texts[::2]] + [planter.filled() for _ in range(9)]
    return texts + texts[::3]


async def test_a_group_is_listed(desk: Desk) -> None:
    """Its items in log order, with authors as they now are; alone means none; in pages."""
    names = [(await desk.record(text=f"the battery of my phone dies {n}")).name for n in range(5)]
    alone = await desk.record(text="something else altogether is wrong")
    attribute = api.AttributeFeedbackRequest(name=names[1], customer="customers/7", by="people/1")
    await desk.stub.AttributeFeedback(attribute)
    request = api.ListDuplicatesRequest(parent=names[3], page_size=2)
    pages = await paged(desk, "ListDuplicates", request, "duplicates")
    assert [[each.feedback for each in page] for page in pages] == [
        names[:2],
        names[2:4],
        names[4:],
    ]
    assert [each.customer for each in pages[0]] == ["", "customers/7"]
    assert {each.similarity for page in pages for each in page} == {1.0}
    none = await desk.ask("ListDuplicates", api.ListDuplicatesRequest(parent=alone.name))
    assert none == api.ListDuplicatesResponse()
    missing = desk.stub.ListDuplicates(api.ListDuplicatesRequest(parent="feedback/none"))
    assert (await refused(missing)).code is StatusCode.NOT_FOUND


PHRASES = ("the battery of my phone dies", "the screen of my phone breaks", "delivery is late too")


async def test_groups_are_listed_by_size_while_others_come_in(desk: Desk) -> None:
    """Largest first, heads and equity of distinct customers beside; later pages show no later."""
    desk.worth.cents = {"customers/7": 700, "customers/8": 800}
    for phrase, count in zip(PHRASES, (2, 4, 3), strict=True):
        for n in range(count):
            await desk.record(("7", "8", "", "7")[n], text=f"{phrase}, again {n}")
    first = await desk.ask("ListDuplicateGroups", api.ListDuplicateGroupsRequest(page_size=1))
    (group,) = first.groups
    assert (group.feedback_count, group.customer_count, group.equity.units) == (4, 2, 15)
    for n in range(9):
        await desk.record("7", text=f"{PHRASES[0]}, again {n}")
    request = api.ListDuplicateGroupsRequest(page_size=1, page_token=first.next_page_token)
    left = await paged(desk, "ListDuplicateGroups", request, "groups")
    assert [[(each.feedback_count, each.customer_count) for each in page] for page in left] == [
        [(3, 2)],
        [(2, 2)],
    ]
    again = await desk.ask("ListDuplicateGroups", api.ListDuplicateGroupsRequest())
    assert [each.feedback_count for each in again.groups] == [11, 4, 3]


async def test_without_groups_nobody_is_asked_for_values(desk: Desk) -> None:
    """The answer is empty, whether or not there is equity yet."""
    desk.worth.cents = None
    answer = await desk.ask("ListDuplicateGroups", api.ListDuplicateGroupsRequest())
    assert answer == api.ListDuplicateGroupsResponse()
    assert desk.worth.asked == []
