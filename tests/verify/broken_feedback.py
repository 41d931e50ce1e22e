"""`python -m tests.verify.broken_feedback FAULT`: the feedback service, its store broken."""

import sys

from libs.chassis.main import main
from libs.eventstore.connect import connect
from libs.eventstore.port import EventStore
from services.feedback import __main__ as feedback
from tests.verify.faults import broken


async def connect_broken(url: str) -> EventStore:
    """Open the store, and what is wrong with it in front."""
    return broken(await connect(url), sys.argv[1])


if __name__ == "__main__":
    vars(feedback)["connect"] = connect_broken
    main("feedback", feedback.compose)
