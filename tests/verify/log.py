"""The log's file, looked at by the checker."""

from pathlib import Path

import apsw

from libs.eventstore.port import RecordedEvent
from libs.eventstore.sqlite import open_sqlite
from tests.verify.findings import Finding


async def read_log(path: Path) -> list[RecordedEvent]:
    """Answer all events of the log in a file."""
    store = await open_sqlite(path)
    log = [event async for batch in store.read_all(batch=4096) for event in batch.events]
    await store.close()
    return log


def integrity(path: Path) -> list[Finding]:
    """Have SQLite check the file."""
    connection = apsw.Connection(str(path))
    answer = connection.pragma("integrity_check")
    connection.close()
    return [] if answer == "ok" else [Finding("corrupt", str(answer))]
