"""A subscriber in a process of its own, as the process that started it sees it."""

import json
import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seen:
    """What a subscriber saw: batches by position and the time that they came, and its memory."""

    came: list[tuple[int, int]]
    peak: int


class Follower:
    """Follows a log from after one position to another."""

    def __init__(self, url: str, after: int, last: int) -> None:
        command = [sys.executable, "-m", "tests.bench.follower", url, str(after), str(last)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> "Follower":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ready(self) -> None:
        """Wait until it has caught up."""
        if self._line() != "ready":
            raise RuntimeError("the subscriber was not ready")

    def result(self) -> Seen:
        """Wait until it has seen all."""
        while (line := self._line()) == "ready":
            pass
        return Seen(**json.loads(line))

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()
