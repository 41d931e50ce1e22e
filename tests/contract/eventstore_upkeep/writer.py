"""A process that appends to a log until it is killed: `python -m … PATH STREAM`."""

import asyncio
import sys
from pathlib import Path

from libs.eventstore.port import Expected
from libs.eventstore.sqlite import open_sqlite
from tests.contract.eventstore.scene import some


async def main(path: Path, stream: str) -> None:
    """Append now one event, now many, and say how far the first one is."""
    store = await open_sqlite(path)
    appended = await store.append(stream, some(1), Expected.ANY)
    print(appended.position, flush=True)
    while True:
        for count in (1, 1, 7):
            await store.append(stream, some(count, data=bytes(500)), Expected.ANY)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
