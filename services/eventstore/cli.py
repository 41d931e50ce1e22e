"""The command line: serves a log, or does one of the commands that keep it safe.

What was asked for is told on standard output; what went wrong, and progress, on standard error.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from typing import NoReturn

from libs.eventstore.port import StoreError
from libs.eventstore.upkeep import Flawed, Upkeep
from services.eventstore import telling
from services.eventstore.arguments import parser
from services.eventstore.progress import Meter
from services.eventstore.settings import Settings

DONE, FAILED, UNUSABLE = 0, 1, 2
"""Exit codes; `check` says FAILED of a log that is not sound, UNUSABLE if it cannot look."""

Serve = Callable[[Settings], None]
Open = Callable[[str], Upkeep]
Known = Callable[[], Collection[str]]


def main(arguments: Sequence[str], serve: Serve, upkeep: Open, known: Known) -> int:
    """Do what the command line says, and answer the exit code.

    ``serve`` serves a log until it is told to stop, ``upkeep`` answers what can be done for the
    log of a URL, ``known`` the event types of this release.
    """
    chosen = parser().parse_args(arguments)
    try:
        settings = Settings()
        if chosen.store:
            settings = settings.model_copy(update={"eventstore_url": chosen.store})
        if chosen.command in (None, "serve"):
            serve(settings)
            return DONE
        signal.signal(signal.SIGTERM, _terminated)
        return _DO[chosen.command](chosen, upkeep(settings.eventstore_url), known)
    except Flawed as error:
        _fail(error)
        print(telling.findings(error.examined), file=sys.stderr)
    except FileExistsError as error:
        _fail(f"{error}; see --replace")
    except (ValueError, StoreError, OSError) as error:
        _fail(error)
        if chosen.command == "check":
            return UNUSABLE
    except KeyboardInterrupt:
        _fail("interrupted")
        return 128 + signal.SIGINT
    return FAILED


def _backup(chosen: argparse.Namespace, log: Upkeep, _: Known) -> int:
    with _meter(chosen) as meter:
        copied = log.backup(
            chosen.target, replace=chosen.replace, check=chosen.check, progress=meter
        )
    print(telling.backup(copied, as_json=chosen.json))
    return DONE


def _restore(chosen: argparse.Namespace, log: Upkeep, _: Known) -> int:
    with _meter(chosen) as meter:
        copied = log.restore(
            chosen.backup, replace=chosen.replace, check=chosen.check, progress=meter
        )
    print(telling.restore(copied, as_json=chosen.json))
    return DONE


def _check(chosen: argparse.Namespace, log: Upkeep, known: Known) -> int:
    with _meter(chosen) as meter:
        examined = log.check(limit=chosen.limit, progress=meter)
    print(telling.check(examined, known(), as_json=chosen.json))
    return DONE if examined.sound else FAILED


def _stats(chosen: argparse.Namespace, log: Upkeep, _: Known) -> int:
    with _meter(chosen) as meter:
        statistics = log.statistics(largest=chosen.top, progress=meter)
    print(telling.stats(statistics, as_json=chosen.json))
    return DONE


_DO = {"backup": _backup, "restore": _restore, "check": _check, "stats": _stats}


def _meter(chosen: argparse.Namespace) -> Meter:
    return Meter(sys.stderr, shown=sys.stderr.isatty() and not chosen.quiet)


def _fail(error: object) -> None:
    print(f"eventstore: {error}", file=sys.stderr)


def _terminated(*_: object) -> NoReturn:
    """Clean up and end, as when interrupted."""
    _fail("terminated")
    sys.exit(128 + signal.SIGTERM)
