"""Values: what a name, a label, an etag or an instant may be, and ids that follow from others."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

import pytest
from equiloop.feedback.v1 import events_pb2 as events
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from libs.kernel.values import (
    CustomerName,
    Etag,
    FeedbackNames,
    Id,
    Instant,
    Label,
    Labels,
    Language,
    Words,
    derived_id,
    id_of,
    instant,
    known,
    timestamp,
)


def read(kind: Any, value: Any) -> Any:
    return TypeAdapter(kind).validate_python(value)


ID = "a" * 63
ChannelNumber = Annotated[int, known(events.Channel)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (CustomerName, "customers/7"),
        (CustomerName, f"customers/{ID}"),
        (Id, "0d1f-7"),
        (Label, "battery.life_2-a"),
        (Language, "en"),
        (Language, "zh-Hant-TW"),
        (Words, " said "),
    ],
)
def test_what_is_valid_stays_as_it_is(kind: Any, value: str) -> None:
    """A valid value is kept to the letter."""
    assert read(kind, value) == value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (CustomerName, ""),
        (CustomerName, "customers/"),
        (CustomerName, "customer/7"),
        (CustomerName, "customers/7/8"),
        (CustomerName, "customers/Seven"),
        (CustomerName, "customers/-7"),
        (CustomerName, "customers/7-"),
        (CustomerName, "customers/7\n"),
        (CustomerName, f"customers/{ID}a"),
        (Id, "7\n"),
        (Id, ""),
        (Label, "Battery"),
        (Label, ""),
        (Label, "a" * 64),
        (Label, "a b"),
        (Language, "e"),
        (Language, "en_GB"),
        (Language, "en-" + "-".join(["abcdefgh"] * 4)),
        (Words, "\t\n "),
        (Etag, ""),
        (Etag, "-1"),
        (Etag, "1.0"),
        (Etag, "٣"),
        (Etag, "9" * 5000),
    ],
)
def test_what_is_not_valid_is_refused(kind: Any, value: str) -> None:
    """Anything outside a value's alphabet, form or length is refused."""
    with pytest.raises(ValidationError):
        read(kind, value)


def test_collections_are_sets_in_order() -> None:
    """Labels and names come out sorted and once each, whatever the order they came in."""
    assert read(Labels, ["price", "battery", "price"]) == ("battery", "price")
    assert read(FeedbackNames, ["feedback/b", "feedback/a"]) == ("feedback/a", "feedback/b")


def test_an_etag_is_a_revision() -> None:
    """An etag that was given out comes back as the revision that it was."""
    assert read(Etag, "17") == 17


@pytest.mark.parametrize("value", [0, -1, 99])
def test_an_enum_is_one_that_the_contract_names(value: int) -> None:
    """Neither the zero of an enum nor a number that it does not name is a value."""
    with pytest.raises(ValidationError, match="CHANNEL_WEB, CHANNEL_EMAIL"):
        read(ChannelNumber, value)


def test_instants_are_in_utc() -> None:
    """An instant from elsewhere is the same instant in UTC; one without a zone is UTC."""
    noon = datetime(2024, 5, 17, 12, tzinfo=UTC)
    kolkata = timezone(timedelta(hours=5, minutes=30))
    for told in (noon, noon.astimezone(kolkata), noon.replace(tzinfo=None)):
        got = read(Instant, told)
        assert (got, got.utcoffset()) == (noon, timedelta(0))


@given(st.datetimes(timezones=st.timezones()))
def test_an_instant_survives_the_contract(when: datetime) -> None:
    """Every instant comes back to the microsecond, written as protobuf itself writes it."""
    try:
        own = when.astimezone(UTC)
    except OverflowError:  # an instant before year 1 or after 9999 in UTC
        return
    theirs = Timestamp()
    theirs.FromDatetime(when)
    assert timestamp(when) == theirs
    assert instant(timestamp(when)) == own


def test_derived_ids_never_change() -> None:
    """An id derived today is the one derived by the first release: history is full of them."""
    assert derived_id("feedback", "reviews", "17") == "b5415262-ffb2-5345-9037-52ad8fcd8b22"


def test_derived_ids_keep_their_parts_apart() -> None:
    """Parts that run together to the same text do not give the same id."""
    assert derived_id("ab", "c") != derived_id("a", "bc")


def test_the_id_is_the_last_part_of_a_name() -> None:
    """`customers/7` is called 7."""
    assert id_of("customers/7") == "7"
