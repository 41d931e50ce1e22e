"""From a URL to a store: the one place that knows which adapters there are."""

from pathlib import Path

from libs.eventstore.port import EventStore
from libs.eventstore.upkeep import Upkeep

KURRENT_SCHEMES = ("kurrentdb", "kurrentdb+discover", "esdb", "esdb+discover")


async def connect(url: str) -> EventStore:
    """Open the event store that ``url`` names.

    ``sqlite:///var/log.db`` is a path relative to the working directory,
    ``sqlite:////var/log.db`` an absolute one; ``kurrentdb://`` and ``esdb://`` (with ``+discover``
    for a cluster) are KurrentDB connection strings. Adapters are imported when they are asked for.

    Raises ValueError for any other URL; StoreUnavailable and StoreCorrupt, saying what to do.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        from libs.eventstore.sqlite import open_sqlite  # noqa: PLC0415

        return await open_sqlite(_path(url, rest))
    if scheme in KURRENT_SCHEMES:
        from libs.eventstore.kurrent import open_kurrent  # noqa: PLC0415

        return await open_kurrent(url)
    raise _unknown(url)


def upkeep(url: str) -> Upkeep:
    """Answer what can be done for the log in the file that ``url`` names.

    Raises ValueError for a server: KurrentDB has tools of its own.
    """
    scheme, _, rest = url.partition("://")
    if scheme in KURRENT_SCHEMES:
        msg = f"{scheme}:// names a server: back it up where it runs, with tools of its own"
        raise ValueError(msg)
    if scheme != "sqlite":
        raise _unknown(url)
    from libs.eventstore.sqlite.upkeep import SqliteUpkeep  # noqa: PLC0415

    return SqliteUpkeep(_path(url, rest))


def _unknown(url: str) -> ValueError:
    known = ", ".join(f"{name}://" for name in ("sqlite", *KURRENT_SCHEMES))
    return ValueError(f"no event store for {url!r}: a store's URL begins with one of {known}")


def _path(url: str, rest: str) -> Path:
    if not rest.startswith("/") or rest.endswith("/") or "?" in rest or rest == "/:memory:":
        msg = f"{url!r} names no file: write sqlite:///relative/path or sqlite:////absolute/path"
        raise ValueError(msg)
    return Path(rest[1:])
