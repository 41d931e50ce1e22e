"""`python -m tests.verify.broken_eventstore FAULT`: the store's server, its store broken."""

import sys

from libs.eventstore.connect import connect
from libs.eventstore.port import EventStore
from services.eventstore import __main__ as server
from services.eventstore.settings import Settings
from tests.verify.faults import broken


async def connect_broken(url: str) -> EventStore:
    """Open the store, and what is wrong with it in front."""
    return broken(await connect(url), sys.argv[1])


if __name__ == "__main__":
    vars(server)["connect"] = connect_broken
    server.serve(Settings())
