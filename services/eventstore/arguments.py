"""What the command line takes, and what it says of itself."""

import argparse
from pathlib import Path

from libs.eventstore.upkeep import SHOWN

PROGRAM = "python -m services.eventstore"

DESCRIPTION = """\
Serve an event log that is kept in a file, and keep it safe.

Every command works on the log that --store names, by default the one that
EQUILOOP_EVENTSTORE_URL names. All but `restore` may be used while services have it open."""

EPILOG = f"""\
Exit codes: 0 done, 1 failed (check: the log is not sound), 2 wrong usage (check:
the log cannot be examined). Errors and progress go to standard error.

A KurrentDB cluster is backed up by its own tools, where it runs.
`{PROGRAM} COMMAND --help` says more about a command."""

BACKUP = f"""\
Copy the log while services go on appending.

The copy is the log up to one position, which is told. It is made from one
snapshot, written beside TARGET, synced, examined (as `check` does), and only
then given its name: a file of that name is a whole backup. TARGET is a file, or
a directory in which the copy is named after the log and the time (UTC).

Meanwhile the write-ahead log grows by what is appended, as the snapshot needs it.

examples:
  {PROGRAM} backup --store sqlite:///var/data/events.db backups/
  {PROGRAM} backup --json backups/ | jq .position"""

RESTORE = f"""\
Put a backup in the log's place.

The backup is copied beside the log and examined first; with any flaw, nothing is
changed. A log that is there stays, unless --replace is given: it is then set aside
as LOG.replaced-TIME. While any process has the log open, restore refuses.

Read models that have seen more than the restored log holds must be removed (they
are folded anew): services whose views are ahead of the log say so and do not start.

examples:
  {PROGRAM} restore --store sqlite:///var/data/events.db --replace events-20260131T020000Z.db"""

CHECK = """\
Examine the file and the log, as they are at one instant, while services go on.

The file: SQLite's integrity check, tables and indexes as this release makes them.
The log: no position is missing; the revisions of each stream are 0, 1, 2 and so
on, at increasing positions, and fit what is known of the stream; no id stands
twice in a stream; no event was recorded before the one it follows; every event
has a stream and a type; metadata can be read.

Each flaw is named with its stream, revision and position. Metadata of events that
is no JSON object, and types that this release does not know, are only remarked on:
other clients may append such events."""

STATS = """\
Say what the log holds: events, streams and bytes, by type and by category (the
beginning of a stream's name, up to the first hyphen), and the largest streams."""


def parser() -> argparse.ArgumentParser:
    """Answer what reads the command line; the command is `serve` where none is given."""
    shown = argparse.ArgumentParser(add_help=False)
    shown.add_argument("--json", action="store_true", help="tell the outcome as JSON")
    shown.add_argument("-q", "--quiet", action="store_true", help="show no progress")
    main = argparse.ArgumentParser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_store(None)],
    )
    commands = main.add_subparsers(title="commands", dest="command", metavar="COMMAND")

    def command(name: str, help: str, text: str = "") -> argparse.ArgumentParser:  # noqa: A002
        return commands.add_parser(
            name,
            help=help,
            description=text or help,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[_store(argparse.SUPPRESS), *([] if name == "serve" else [shown])],
        )

    command("serve", "serve it over KurrentDB's protocol (also without a command)")
    backup = command("backup", "copy it, while services append to it", BACKUP)
    backup.add_argument("target", type=Path, metavar="TARGET", help="a file or a directory")
    backup.add_argument("--replace", action="store_true", help="replace a file of that name")
    restore = command("restore", "put a backup in its place", RESTORE)
    restore.add_argument("backup", type=Path, metavar="BACKUP", help="the file of a backup")
    restore.add_argument("--replace", action="store_true", help="set aside the log that is there")
    for copying in (backup, restore):
        copying.add_argument(
            "--no-check",
            dest="check",
            action="store_false",
            help="do not examine the copy: to keep what there is of a log that is not sound",
        )
    check = command("check", "examine the file and the log", CHECK)
    check.add_argument(
        "--limit",
        type=_count,
        default=SHOWN,
        metavar="N",
        help="flaws to name (default: %(default)s)",
    )
    stats = command("stats", "say what it holds", STATS)
    stats.add_argument(
        "--top", type=_count, default=10, metavar="N", help="streams to list (default: %(default)s)"
    )
    return main


def _store(default: str | None) -> argparse.ArgumentParser:
    """The option that every command has, before its name or after."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--store",
        type=_url,
        default=default,
        metavar="URL",
        help="the log: sqlite:///relative/path, sqlite:////absolute/path, or a path; "
        "default: $EQUILOOP_EVENTSTORE_URL, or sqlite:///var/eventstore.db",
    )
    return common


def _url(store: str) -> str:
    if "://" in store:
        return store
    return f"sqlite:///{store}"


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return number
