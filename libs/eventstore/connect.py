"""From a URL to a store: the one place that knows which adapters there are."""

from pathlib import Path

from libs.eventstore.port import EventStore

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
    known = ", ".join(f"{name}://" for name in ("sqlite", *KURRENT_SCHEMES))
    msg = f"no event store for {url!r}: a store's URL begins with one of {known}"
    raise ValueError(msg)


def _path(url: str, rest: str) -> Path:
    if not rest.startswith("/") or rest.endswith("/") or "?" in rest or rest == "/:memory:":
        msg = f"{url!r} names no file: write sqlite:///relative/path or sqlite:////absolute/path"
        raise ValueError(msg)
    return Path(rest[1:])
