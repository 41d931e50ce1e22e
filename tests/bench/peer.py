"""The peer for commands: PyPI's `eventsourcing` on SQLite, load, decide, save, in one process."""

import time
from pathlib import Path
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from tests.bench.load import TEXT


class Feedback(Aggregate):
    """The same facts as our FeedbackReceived and FeedbackCoded."""

    @event("Received")
    def __init__(self, channel: int, text: str) -> None:
        """Receive feedback."""
        self.channel, self.text = channel, text
        self.themes: list[str] = []

    @event("Coded")
    def code(self, themes: list[str]) -> None:
        """Give it themes."""
        self.themes = themes


def rate(folder: Path, commands: int) -> float:
    """Answer commands per second: load an aggregate, let it decide, save what follows.

    Its SQLite writes a commit through to the disk (synchronous=FULL is SQLite's default), as ours
    does.
    """
    environment = {
        "PERSISTENCE_MODULE": "eventsourcing.sqlite",
        "SQLITE_DBNAME": str(folder / "peer.db"),
    }
    application: Application[UUID] = Application(env=environment)
    received = [Feedback(channel=1, text=TEXT) for _ in range(commands)]
    application.save(*received)
    started = time.perf_counter()
    for made in received:
        loaded: Feedback = application.repository.get(made.id)
        loaded.code(themes=["battery"])
        application.save(loaded)
    seconds = time.perf_counter() - started
    application.close()
    return commands / seconds
