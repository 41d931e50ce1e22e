"""Events and what is kept beside them come back from bytes as they went."""

from datetime import UTC, datetime
from uuid import UUID, uuid5

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import given
from hypothesis import strategies as st

from libs.contract.codec import Codec, UnknownEvent
from libs.contract.events import CODEC
from libs.contract.metadata import Metadata
from libs.eventstore.port import NewEvent, RecordedEvent
from tests.specs.feedback.facts import coded, received

REQUEST = UUID("8a2c4a3e-8d0f-4d0c-9a5e-6a5d5f1f0a01")


def recorded(event: NewEvent) -> RecordedEvent:
    now = datetime(2024, 5, 17, tzinfo=UTC)
    return RecordedEvent(event.id, event.type, event.data, event.metadata, "feedback-1", 0, 1, now)


def test_events_come_back_as_they_went() -> None:
    """What is encoded decodes to an equal message of the same type."""
    events = [received(customer="customers/7"), coded("1", "battery", sentiment=-0.25)]
    stored = CODEC.encode(events, REQUEST, b"{}")
    assert [CODEC.decode(recorded(event)) for event in stored] == events


def test_a_stored_event_is_named_after_its_message() -> None:
    """The type is the full name; the ids follow from the request, so that a repeat is known."""
    first, second = CODEC.encode([received(), coded()], REQUEST, b"{}")
    assert first.type == "equiloop.feedback.v1.FeedbackReceived"
    assert (first.id, second.id) == (uuid5(REQUEST, "0"), uuid5(REQUEST, "1"))
    assert CODEC.encode([received()], REQUEST, b"{}")[0].id == first.id


def test_a_type_of_another_release_is_not_guessed() -> None:
    """A type that nobody registered is refused by name."""
    alien = NewEvent(REQUEST, "equiloop.feedback.v9.FeedbackSung", b"")
    with pytest.raises(UnknownEvent, match=r"feedback-1.*FeedbackSung"):
        CODEC.decode(recorded(alien))


def test_events_are_the_messages_that_happened_at_a_time() -> None:
    """Parts of events (a score, a coder) are no events; nor are messages of other modules."""
    names = {name.rsplit(".", 1)[1] for name in CODEC.types}
    assert {"FeedbackReceived", "ActionCommitted", "CustomerRegistered"} <= names
    assert not {"Score", "Coder"} & names
    assert Codec(pytest).types == {}
    assert StringValue.DESCRIPTOR.full_name not in CODEC.types


texts = st.text(max_size=50)


@given(st.uuids(), st.tuples(texts, texts, texts, texts, texts))
def test_metadata_comes_back_as_it_went(request: UUID, values: tuple[str, ...]) -> None:
    """Whatever the actor and the trace are called, they are read as they were written."""
    fingerprint, correlation, causation, trace, actor = values
    written = Metadata(request, fingerprint, correlation, causation, trace, actor)
    own = str(request)
    expected = Metadata(request, fingerprint, correlation or own, causation or own, trace, actor)
    assert Metadata.load(written.dump()) == expected


def test_a_persons_request_causes_itself() -> None:
    """Without a cause or a correlation of its own, both are the request, in KurrentDB's names."""
    text = Metadata(REQUEST).dump().decode()
    assert f'"$correlationId":"{REQUEST}"' in text
    assert f'"$causationId":"{REQUEST}"' in text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b'"text"',
        b'{"requestId": 5}',
        b'{"requestId": null, "$correlationId": "", "$causationId": ""}',
        b'{"requestId": "7", "$correlationId": "", "$causationId": ""}',
        b"[" * 100_000,
    ],
    ids=str,
)
def test_metadata_of_others_is_no_metadata(data: bytes) -> None:
    """What another program wrote beside its events is not taken for a request of ours."""
    assert Metadata.load(data) is None
