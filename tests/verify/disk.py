"""A disk as it is after a power cut: what was synced, and of the rest whatever chance lets be.

Of the writes to a file since its last sync a cut keeps none, all, the first ones, or any of their
sectors. Names of files that are new or gone last from the next sync of their directory on, in the
order in which they came or went.
"""

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

SECTOR = 512
"""Bytes that a disk writes whole or not at all: the least that SQLite assumes."""

POLICIES = ("none", "all", "first", "any")
"""What may be left of the writes that were not synced."""


@dataclass
class Node:
    """A file: what is safe of it, and what is on its way."""

    safe: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Writes (where, what) and truncations (where, None) since the last sync."""

    def sync(self) -> None:
        """Have all that is on its way arrive."""
        for at, data in self.pending:
            _apply(self.safe, at, data)
        self.pending.clear()

    def after_cut(self, policy: str, chance: Random) -> "Node":
        """Answer what is left of the file."""
        left, arrived = bytearray(self.safe), self.pending
        if policy == "none":
            arrived = []
        elif policy == "first":
            arrived = arrived[: chance.randint(0, len(arrived))]
        for number, (at, data) in enumerate(arrived, 1):
            torn = policy == "any" or (policy == "first" and number == len(arrived))
            if not torn:
                _apply(left, at, data)
            elif data is not None:
                _tear(left, at, data, chance)
            elif chance.random() < 0.5:
                _apply(left, at, None)
        return Node(left)


@dataclass
class Disk:
    """A directory of files: as the operating system shows it, and as the disk has it."""

    names: dict[str, Node] = field(default_factory=dict)
    safe_names: dict[str, Node] = field(default_factory=dict)
    changes: list[tuple[str, Node | None]] = field(default_factory=list)
    """Names made and (None) removed since the directory was synced."""

    def create(self, name: str) -> None:
        """Make a file."""
        self.names[name] = Node()
        self.changes.append((name, self.names[name]))

    def remove(self, name: str) -> None:
        """Remove a file."""
        del self.names[name]
        self.changes.append((name, None))

    def sync_names(self) -> None:
        """Have all names arrive."""
        self.safe_names = dict(self.names)
        self.changes.clear()

    def after_cut(self, policy: str, chance: Random) -> "Disk":
        """Answer what is left when the power comes back."""
        names = dict(self.safe_names)
        most = {"none": 0, "all": len(self.changes)}
        for name, node in self.changes[: most.get(policy, chance.randint(0, len(self.changes)))]:
            if node is None:
                names.pop(name, None)
            else:
                names[name] = node
        left = {name: node.after_cut(policy, chance) for name, node in names.items()}
        return Disk(left, dict(left))

    def write_to(self, folder: Path) -> None:
        """Make real files of it: of a disk after a cut, where all is safe."""
        folder.mkdir()
        for name, node in self.names.items():
            (folder / name).write_bytes(node.safe)


def _apply(content: bytearray, at: int, data: bytes | None) -> None:
    if data is None:
        del content[at:]
        return
    content.extend(bytes(max(at - len(content), 0)))
    content[at : at + len(data)] = data


def _tear(content: bytearray, at: int, data: bytes, chance: Random) -> None:
    """Write some of the sectors; where a file grows, those that are missing hold anything."""
    end = at + len(data)
    if end > len(content) and chance.random() < 0.5:
        content.extend(chance.randbytes(end - len(content)))
    start = at
    while start < end:
        stop = min(start // SECTOR * SECTOR + SECTOR, end)
        if chance.random() < 0.5:
            _apply(content, start, data[start - at : stop - at])
        start = stop
