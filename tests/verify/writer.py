"""A process with some writers: each sends command after command and says what it was told.

It says "begun" before it sends, so that nothing can be in the log that was not announced, and
"told" as soon as it has the answer. Both are in the kernel's hands before it goes on: a kill takes
neither back.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from google.protobuf.message import Message

from libs.contract.events import CODEC
from libs.decider import Aggregate, Decider
from libs.eventstore.port import Append, Appended, EventStore
from libs.eventstore.sqlite import open_sqlite
from tests.verify.commands import CATEGORY, Command, command, together
from tests.verify.faults import broken

Say = Callable[[str], None]


def _evolve(seen: int, _: Message) -> int:
    return seen + 1


ACCOUNT = Aggregate(CATEGORY, CATEGORY, 0, _evolve)
"""An account's state is how many events it has."""


def main(channel: socket.socket, path: str, seed: int, writers: dict[str, int], fault: str) -> None:
    """Write until killed: each of ``writers`` from the command on whose number is given."""
    asyncio.run(_write_all(channel, Path(path), seed, writers, fault))


async def _write_all(
    channel: socket.socket, path: Path, seed: int, writers: dict[str, int], fault: str
) -> None:
    store = broken(await open_sqlite(path), fault)
    say = speaker(channel)
    await write_all(store, seed, {int(writer): number for writer, number in writers.items()}, say)


def speaker(channel: socket.socket) -> Say:
    """Answer what says a line on the channel, in one piece."""
    return lambda line: channel.sendall(line.encode())


async def write_all(store: EventStore, seed: int, writers: dict[int, int], say: Say) -> None:
    """Have each writer write from its number on, without end."""
    await asyncio.gather(
        *(_write(store, seed, writer, number, say) for writer, number in writers.items())
    )


async def _write(store: EventStore, seed: int, writer: int, first: int, say: Say) -> None:
    decider, number = Decider(store, CODEC), first
    while True:
        many = together(writer, number)
        commands = [command(seed, writer, number + index) for index in range(many)]
        say("".join(f"begun {each.writer} {each.number} {_now()}\n" for each in commands))
        answers = await send(store, decider, commands)
        say(
            "".join(
                f"told {each.writer} {each.number} {revision} {position} {_now()}\n"
                for each, (revision, position) in zip(commands, answers, strict=True)
            )
        )
        number += many


async def send(
    store: EventStore, decider: Decider, commands: Sequence[Command]
) -> list[tuple[int, int]]:
    """Send commands as one call; answer the revision and the position that each was told."""
    one = commands[0]
    if len(commands) > 1:
        parts = [Append(c.stream, c.events(), c.expected) for c in commands if c.expected]
        answers = await store.append_batch(parts)
        return [_place(answer) for answer in answers]
    if one.expected is not None:
        return [_place(await store.append(one.stream, one.events(), one.expected))]
    decided = await decider.handle(
        ACCOUNT, one.account, lambda seen, _: one.messages(seen), one.request
    )
    return [(decided.revision, decided.position)]


def _place(answer: object) -> tuple[int, int]:
    assert isinstance(answer, Appended), answer
    return answer.revision, answer.position


def _now() -> int:
    return time.monotonic_ns()  # one clock for all processes of the host
