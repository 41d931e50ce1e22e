"""What the protocol allows and the official client never sends."""

import asyncio
from uuid import UUID, uuid4

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from kurrentdbclient import AsyncKurrentDBClient, StreamState
from kurrentdbclient.protos.v1 import shared_pb2
from kurrentdbclient.protos.v1.streams_pb2 import (
    AppendReq,
    AppendResp,
    BatchAppendReq,
    BatchAppendResp,
    ReadReq,
    ReadResp,
)

from tests.contract.eventstore_wire.scene import fresh

STREAMS = "/event_store.client.streams.Streams"


def proposal(kind: str = "Noted", data: bytes = b"{}") -> BatchAppendReq.ProposedMessage:
    """An event as a message."""
    return BatchAppendReq.ProposedMessage(
        id=shared_pb2.UUID(string=str(uuid4())), metadata={"type": kind}, data=data
    )


def request(stream: str, *proposals: BatchAppendReq.ProposedMessage) -> BatchAppendReq:
    """An append of these events, without an expectation of the stream."""
    message = BatchAppendReq(is_final=True, proposed_messages=proposals)
    message.correlation_id.string = str(uuid4())
    message.options.stream_identifier.stream_name = stream.encode()
    message.options.any.SetInParent()
    return message


async def exchange(
    channel: grpc.aio.Channel, *requests: BatchAppendReq
) -> dict[str, BatchAppendResp]:
    """The answers to requests on one call, by correlation id."""
    call = channel.stream_stream(
        f"{STREAMS}/BatchAppend", BatchAppendReq.SerializeToString, BatchAppendResp.FromString
    )
    async with asyncio.timeout(10):
        return {answer.correlation_id.string: answer async for answer in call(iter(requests))}


async def read(channel: grpc.aio.Channel, message: ReadReq) -> list[ReadResp]:
    """The answers to a read."""
    call = channel.unary_stream(f"{STREAMS}/Read", ReadReq.SerializeToString, ReadResp.FromString)
    async with asyncio.timeout(10):
        return [answer async for answer in call(message)]


async def test_appends_on_one_call_are_answered_each(
    channel: grpc.aio.Channel, async_client: AsyncKurrentDBClient
) -> None:
    """Many appends on one call are all answered by correlation id, refusals among them."""
    prefix = fresh()
    good = [request(f"{prefix}-{n}", proposal(), proposal()) for n in range(200)]
    bad = [request(f"{prefix}-0", proposal("")), request("", proposal()), request(f"{prefix}-1")]
    bad[2].options.stream_position = 77
    answers = await exchange(channel, *good[:100], *bad, *good[100:])
    assert len(answers) == 203
    for message in good:
        answer = answers[message.correlation_id.string]
        assert answer.success.current_revision == 1
        assert answer.stream_identifier == message.options.stream_identifier
    details = [answers[message.correlation_id.string].error.details for message in bad]
    assert [detail.TypeName() for detail in details] == [
        "event_store.client.BadRequest",
        "event_store.client.BadRequest",
        "event_store.client.WrongExpectedVersion",
    ]
    assert len(await async_client.get_stream(f"{prefix}-0")) == 2


async def test_appends_to_one_stream_keep_their_order(
    channel: grpc.aio.Channel, async_client: AsyncKurrentDBClient
) -> None:
    """Appends to one stream on one call are done in the order in which they were sent."""
    stream = fresh()
    requests = [request(stream, proposal(f"Step{n}")) for n in range(100)]
    for revision, message in enumerate(requests[1:]):
        message.options.stream_position = revision
    answers = await exchange(channel, *requests)
    assert all(answer.HasField("success") for answer in answers.values())
    read_back = await async_client.get_stream(stream)
    assert [event.type for event in read_back] == [f"Step{n}" for n in range(100)]


async def test_append_may_come_in_several_messages(
    channel: grpc.aio.Channel, async_client: AsyncKurrentDBClient
) -> None:
    """Messages with one correlation id make one append, whatever comes between them."""
    stream = fresh()
    first, between = request(stream, proposal("A"), proposal("B")), request(stream, proposal("X"))
    first.is_final = False
    last = BatchAppendReq(
        correlation_id=first.correlation_id, proposed_messages=[proposal("C")], is_final=True
    )
    answers = await exchange(channel, first, between, last)
    assert answers[last.correlation_id.string].success.current_revision == 3
    kinds = [event.type for event in await async_client.get_stream(stream)]
    assert kinds == ["X", "A", "B", "C"]


async def test_spoiled_append_is_answered_once(
    channel: grpc.aio.Channel, async_client: AsyncKurrentDBClient
) -> None:
    """An append with a bad event is refused at once; what follows of it is ignored."""
    stream = fresh()
    first = request(stream, proposal("A"), proposal(""))
    first.is_final = False
    last = BatchAppendReq(
        correlation_id=first.correlation_id, proposed_messages=[proposal("C")], is_final=True
    )
    answers = await exchange(channel, first, last)
    assert [answer.WhichOneof("result") for answer in answers.values()] == ["error"]
    assert await async_client.get_current_version(stream)


async def test_append_over_its_limit_is_refused(channel: grpc.aio.Channel) -> None:
    """An append of too many bytes in several messages is refused with the limit."""
    first = request(fresh(), *[proposal(data=bytes(1 << 20))] * 9)
    first.is_final = False
    last = BatchAppendReq(
        correlation_id=first.correlation_id,
        proposed_messages=first.proposed_messages,
        is_final=True,
    )
    (answer,) = (await exchange(channel, first, last)).values()
    assert answer.error.details.Is(shared_pb2.MaximumAppendSizeExceeded.DESCRIPTOR)


async def test_past_deadline_is_a_timeout(channel: grpc.aio.Channel) -> None:
    """An append whose deadline has passed is not tried."""
    late = request(fresh(), proposal())
    late.options.deadline.CopyFrom(Duration(seconds=0))
    (answer,) = (await exchange(channel, late)).values()
    assert answer.error.details.Is(shared_pb2.Timeout.DESCRIPTOR)


async def test_unfinished_append_runs_out_of_time(
    channel: grpc.aio.Channel, async_client: AsyncKurrentDBClient
) -> None:
    """An append whose last message does not come is a timeout at its deadline; others go on."""
    stream = fresh()
    half, whole = request(stream, proposal("Half")), request(stream, proposal("Whole"))
    half.is_final = False
    half.options.deadline.CopyFrom(Duration(nanos=50_000_000))
    rest = BatchAppendReq(correlation_id=half.correlation_id, is_final=True)
    call = channel.stream_stream(
        f"{STREAMS}/BatchAppend", BatchAppendReq.SerializeToString, BatchAppendResp.FromString
    )()
    async with asyncio.timeout(10):
        await call.write(half)
        late = await call.read()
        assert isinstance(late, BatchAppendResp)
        assert late.correlation_id == half.correlation_id
        assert late.stream_identifier == half.options.stream_identifier
        assert late.error.details.Is(shared_pb2.Timeout.DESCRIPTOR)
        await call.write(rest)  # too late: it is ignored
        await call.write(whole)
        answer = await call.read()
        assert isinstance(answer, BatchAppendResp)
        assert answer.correlation_id == whole.correlation_id
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
    assert [event.type for event in await async_client.get_stream(stream)] == ["Whole"]


async def test_call_that_ends_leaves_unfinished_appends(
    channel: grpc.aio.Channel, async_client: AsyncKurrentDBClient
) -> None:
    """A call that ends before an append is whole ends at once, and nothing of it is written."""
    stream = fresh()
    half = request(stream, proposal())
    half.is_final = False
    assert await exchange(channel, half) == {}
    assert await async_client.get_current_version(stream) is StreamState.NO_STREAM


async def test_correlation_ids_are_the_same_in_both_forms(
    channel: grpc.aio.Channel, async_client: AsyncKurrentDBClient
) -> None:
    """Messages of one append may name it as text and as halves; what is no id is refused."""
    stream = fresh()
    first = request(stream, proposal("A"))
    first.is_final = False
    last = BatchAppendReq(proposed_messages=[proposal("B")], is_final=True)
    number = UUID(first.correlation_id.string).int
    halves = last.correlation_id.structured
    for name, half in (("most", number >> 64), ("least", number & ((1 << 64) - 1))):
        setattr(halves, f"{name}_significant_bits", half - (1 << 64) if half >> 63 else half)
    nameless = request(stream, proposal("C"))
    nameless.correlation_id.string = "no id"
    call = channel.stream_stream(
        f"{STREAMS}/BatchAppend", BatchAppendReq.SerializeToString, BatchAppendResp.FromString
    )
    async with asyncio.timeout(10):
        answers = [answer async for answer in call(iter([first, nameless, last]))]
    kinds = {answer.WhichOneof("result"): answer for answer in answers}
    assert kinds["success"].correlation_id == last.correlation_id
    assert kinds["error"].correlation_id == nameless.correlation_id
    assert kinds["error"].error.details.Is(shared_pb2.BadRequest.DESCRIPTOR)
    assert [event.type for event in await async_client.get_stream(stream)] == ["A", "B"]


async def test_ids_travel_in_two_forms(channel: grpc.aio.Channel) -> None:
    """Ids sent as two signed halves are the ids that are read, in the form asked for."""
    given, message = UUID("fedcba98-7654-3210-8899-aabbccddeeff"), request(fresh(), proposal())
    halves = message.proposed_messages[0].id.structured
    halves.most_significant_bits = (given.int >> 64) - (1 << 64)
    halves.least_significant_bits = (given.int & ((1 << 64) - 1)) - (1 << 64)
    await exchange(channel, message)
    wanted = ReadReq()
    wanted.options.stream.stream_identifier.CopyFrom(message.options.stream_identifier)
    wanted.options.count = 1
    (text,) = await read(channel, wanted)
    assert text.event.event.id.string == str(given)
    wanted.options.uuid_option.structured.SetInParent()
    (structured,) = await read(channel, wanted)
    assert structured.event.event.id.structured == halves


async def test_reads_of_nothing_are_empty(channel: grpc.aio.Channel) -> None:
    """A read forwards from the end, backwards from the start, or of no events has no answers."""
    message = request(fresh(), proposal())
    await exchange(channel, message)
    for backwards, edge in ((False, "end"), (True, "start")):
        wanted = ReadReq()
        if backwards:
            wanted.options.read_direction = ReadReq.Options.Backwards
        wanted.options.count = 10
        getattr(wanted.options.all, edge).SetInParent()
        assert await read(channel, wanted) == []
    wanted.options.all.end.SetInParent()
    wanted.options.count = 0
    assert await read(channel, wanted) == []


@pytest.mark.parametrize(
    "options",
    [
        ReadReq.Options(count=1),
        ReadReq.Options(stream=ReadReq.Options.StreamOptions(), count=1),
        ReadReq.Options(
            stream=ReadReq.Options.StreamOptions(
                stream_identifier=shared_pb2.StreamIdentifier(stream_name=b"\xff")
            ),
            count=1,
        ),
    ],
)
async def test_senseless_reads_are_refused(
    channel: grpc.aio.Channel, options: ReadReq.Options
) -> None:
    """A read of nothing in particular, or of what is no name, is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await read(channel, ReadReq(options=options))
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "requests",
    [
        [],
        [AppendReq(proposed_message=AppendReq.ProposedMessage(metadata={"type": "Noted"}))],
        [AppendReq(options=AppendReq.Options(any=shared_pb2.Empty()))],
    ],
)
async def test_append_without_its_options_is_refused(
    channel: grpc.aio.Channel, requests: list[AppendReq]
) -> None:
    """An Append call that does not say first where to append is refused."""
    call = channel.stream_unary(
        f"{STREAMS}/Append", AppendReq.SerializeToString, AppendResp.FromString
    )
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await call(iter(requests))
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
