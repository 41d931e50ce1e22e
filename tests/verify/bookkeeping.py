"""What the checker keeps while it listens: which commands were begun, and what was answered."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.verify.commands import command
from tests.verify.findings import Begun, Key, Told


@dataclass
class Book:
    """All that writers of one log have said."""

    seed: int
    begun: dict[Key, Begun] = field(default_factory=dict)
    told: dict[Key, Told] = field(default_factory=dict)
    resent: int = 0
    """Commands whose answer a kill had cut off, and that were sent again."""
    _next: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def note(self, lines: Iterable[str]) -> None:
        """Take down what a writer has said."""
        for line in lines:
            word, *figures = line.split()
            writer, number, *rest = map(int, figures)
            key = writer, number
            if word == "begun":
                self.resent += key in self.begun
                self.begun.setdefault(key, Begun(command(self.seed, writer, number), rest[0]))
            else:
                assert word == "told", line
                self.told[key] = Told(*rest)
                self._next[writer] = max(self._next[writer], number + 1)

    def next(self, writer: int) -> int:
        """Answer the command that a writer begins with: the first without an answer."""
        return self._next[writer]

    def doubts(self) -> list[Key]:
        """Answer the commands that were begun and not answered, in the order of their writers."""
        return sorted(self.begun.keys() - self.told.keys())
