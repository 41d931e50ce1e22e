"""Which file holds the read models of one version of a service's views."""

from pathlib import Path


def one_version(folder: Path, digest: str, ending: str) -> Path:
    """Answer the file of ``digest``, having thrown away what other versions left behind.

    Read models are derived: the log rebuilds whatever is thrown away here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mine = f"views-{digest}.{ending}"
    for path in folder.glob(f"views-*.{ending}"):
        if path.name != mine:
            throw_away(path)
    return folder / mine


def throw_away(path: Path) -> None:
    """Remove a database and what its engine keeps beside it (`-wal`, `-shm`, `.wal`)."""
    for part in path.parent.glob(f"{path.name}*"):
        part.unlink(missing_ok=True)
