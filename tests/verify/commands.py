"""What the writers do: a command is a function of a seed, its writer and its number.

So whoever knows what was begun knows every byte that may be in the log, and a command that is
sent again after a crash is the same command. Even writers decide on the state that they find
(and so need the exact revision); odd ones append to accounts of all and to one of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from uuid import NAMESPACE_OID, uuid5

from equiloop.customers.v1.events_pb2 import TransactionRecorded

from libs.contract.events import CODEC
from libs.decider import Request
from libs.eventstore.port import Expected, ExpectedState, NewEvent

WRITERS = 8
ACCOUNTS = 6
"""Accounts that all writers write to."""

CATEGORY = "account"
_TIME = 1_700_000_000  # seconds since 1970: a command sent again is the same to the byte


@dataclass(frozen=True)
class Command:
    """One append of one writer: some purchases of one customer."""

    seed: int
    writer: int
    number: int
    account: str
    cents: Sequence[int]
    expected: ExpectedState | None
    """What the writer expects of the stream; None: to be where its decision has seen it."""

    @property
    def stream(self) -> str:
        """The stream that it appends to."""
        return f"{CATEGORY}-{self.account}"

    @cached_property
    def request(self) -> Request:
        """The request that it is; sent again, it is the same."""
        return Request(uuid5(NAMESPACE_OID, f"{self.seed}/{self.writer}/{self.number}"))

    def messages(self, seen: int) -> list[TransactionRecorded]:
        """What it decides after ``seen`` events of its stream, each with what it was decided on."""
        recorded = []
        for index, cents in enumerate(self.cents):
            event = TransactionRecorded(
                transaction=f"transactions/{self.writer}-{self.number}-{index}",
                customer=f"customers/{self.account}",
                quantity=seen,
            )
            event.event_time.seconds = _TIME
            event.amount.units, event.amount.nanos = cents // 100, cents % 100 * 10_000_000
            recorded.append(event)
        return recorded

    @cached_property
    def _encoded(self) -> dict[int, list[NewEvent]]:
        return {}

    def events(self, seen: int = 0) -> list[NewEvent]:
        """The same, as they stand in the log behind ``seen`` others."""
        decided_on = seen if self.expected is None else 0
        if decided_on not in self._encoded:
            messages = self.messages(decided_on)
            metadata = self.request.metadata()
            self._encoded[decided_on] = CODEC.encode(messages, self.request.id, metadata)
        return self._encoded[decided_on]


def command(seed: int, writer: int, number: int) -> Command:
    """Answer the command with this number of a writer."""
    chance = Random(f"{seed}/{writer}/{number}")
    account = str(chance.randrange(ACCOUNTS))
    cents = [chance.randrange(1, 100_000) for _ in range(chance.randint(1, 4))]
    expected: ExpectedState | None = Expected.ANY
    if writer % 2 == 0:
        expected = None
    elif number % 8 in (3, 4):  # two events each, so that the revision follows from the number
        account, cents = f"own{writer}", [cents[0], cents[0] + 1]
        index = number // 8 * 2 + number % 8 - 3
        expected = 2 * index - 1 if index else Expected.NO_STREAM
    return Command(seed, writer, number, account, cents, expected)


def together(writer: int, number: int) -> int:
    """Answer how many commands the writer sends in one call, from this one on."""
    return 3 if writer % 2 and number % 8 == 5 else 1
