"""Sends RecordFeedback, a number of calls at once, and prints calls per second."""

import asyncio
import sys
import time
import uuid

import grpc
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api
from equiloop.feedback.v1.service_pb2_grpc import FeedbackServiceStub
from google.protobuf.timestamp_pb2 import Timestamp

WARM_UP = 500
TEXT = "The battery dies at noon, and nobody at the shop could tell me why."


async def main(address: str, calls: int, at_once: int, language: str) -> None:
    """Print the rate over ``calls``, after a warm-up."""
    async with grpc.aio.insecure_channel(address) as channel:
        await channel.channel_ready()
        stub = FeedbackServiceStub(channel)
        now = Timestamp()
        now.GetCurrentTime()

        async def worker(todo: list[int]) -> None:
            while todo:
                todo.pop()
                await stub.RecordFeedback(
                    api.RecordFeedbackRequest(
                        channel=events.CHANNEL_WEB,
                        text=TEXT,
                        language_code=language,
                        receive_time=now,
                        request_id=str(uuid.uuid4()),
                    )
                )

        for number in (WARM_UP, calls):
            todo = list(range(number))
            started = time.perf_counter()
            await asyncio.gather(*(worker(todo) for _ in range(at_once)))
            rate = number / (time.perf_counter() - started)
        print(f"{rate:.1f}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
