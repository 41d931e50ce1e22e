"""What any release wrote, this one reads; a change of the contract that breaks that is noticed."""

from pathlib import Path

import pytest
from equiloop.feedback.v1 import events_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

from libs.contract.events import CODEC
from tests.golden.golden import FOLDER, Golden, missing, released, sample

FILES = sorted(FOLDER.glob("*.json"))
CODED = events_pb2.FeedbackCoded.DESCRIPTOR.full_name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_released_event_is_read_and_kept(path: Path) -> None:
    """The bytes of a release decode to what they said, and encode to themselves."""
    golden = Golden.load(path)
    assert list(golden.mistakes(CODEC.types[golden.kind])) == []


@pytest.mark.parametrize("kind", sorted(CODEC.types))
def test_every_event_type_is_kept_with_all_its_fields(kind: str) -> None:
    """No type and no field is without bytes; `python -m tests.golden` adds what is missing."""
    assert released(kind)
    assert missing(CODEC.types[kind]) == set()


def test_no_file_is_without_its_type() -> None:
    """Every file belongs to a type of today: event types are never taken away."""
    assert {path.name.rsplit(".", 2)[0] for path in FILES} == set(CODEC.types)


def changed(change: str) -> type[Message]:
    """FeedbackCoded as a careless edit would have it."""
    pool = descriptor_pool.DescriptorPool()
    wanted = [events_pb2.DESCRIPTOR]
    for file in wanted:
        wanted += [each for each in file.dependencies if each not in wanted]
    for file in reversed(wanted):
        copy = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(copy)
        if file is events_pb2.DESCRIPTOR:
            (message,) = (each for each in copy.message_type if each.name == "FeedbackCoded")
            (field,) = (each for each in message.field if each.name == "sentiment")
            match change:
                case "renumbered":
                    field.number = 9
                case "retyped":
                    field.type = field.TYPE_SFIXED64
                case "renamed":
                    field.name = "mood"
                case "removed":
                    message.field.remove(field)
                case "added":
                    message.field.add(
                        name="mood", number=9, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL
                    )
        pool.AddSerializedFile(copy.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(CODED))


@pytest.mark.parametrize("change", ["renumbered", "retyped", "renamed", "removed"])
def test_a_breaking_change_is_noticed(change: str) -> None:
    """A field that was renumbered, retyped, renamed or removed does not read as it did."""
    (path, *_) = released(CODED)
    assert list(Golden.load(path).mistakes(changed(change)))


def test_a_field_that_was_added_is_asked_for() -> None:
    """An added field leaves old bytes readable, and needs bytes of its own."""
    added = changed("added")
    (path, *_) = released(CODED)
    assert list(Golden.load(path).mistakes(added)) == []
    assert missing(added) == {".mood"}


def test_what_was_released_is_never_overwritten(tmp_path: Path) -> None:
    """A file that is there stays as it is."""
    golden = Golden.of(sample(events_pb2.FeedbackCoded))
    golden.dump(tmp_path / "event.json")
    with pytest.raises(FileExistsError):
        golden.dump(tmp_path / "event.json")
    assert Golden.load(tmp_path / "event.json") == golden
