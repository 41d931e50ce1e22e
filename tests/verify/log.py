"""The log's file, looked at by the checker."""

from pathlib import Path

from libs.eventstore.port import RecordedEvent
from libs.eventstore.sqlite import open_sqlite
from libs.eventstore.sqlite.upkeep import SqliteUpkeep
from tests.verify.findings import Finding


async def read_log(path: Path) -> list[RecordedEvent]:
    """Answer all events of the log in a file."""
    store = await open_sqlite(path)
    log = [event async for batch in store.read_all(batch=4096) for event in batch.events]
    await store.close()
    return log


def integrity(path: Path) -> list[Finding]:
    """Have the file and the log examined, as `check` does."""
    examined = SqliteUpkeep(path).check(progress=lambda *_: None)
    return [Finding("corrupt", str(finding)) for finding in examined.findings]
