"""Run the whole system until Ctrl-C: `python -m deploy.local`, which is `make run`.

`python -m deploy.local status` (or `parked`, or `retry`) asks the services that run how they are.
"""

import argparse
import os
import signal
import sys

from pydantic import ValidationError

from deploy.local.errors import Interrupted, LocalError
from deploy.local.operations import COMMANDS, ask
from deploy.local.settings import SERVICES, LocalSettings
from deploy.local.system import System

_EXAMPLE = """-d '{"customerId": "ada", "displayName": "Ada Lovelace"}'"""


def main() -> int:
    """Answer 0 after Ctrl-C or SIGTERM, 1 after a failure, with one line on standard error."""
    try:
        command, settings = _arguments()
        if command:
            return ask(command, settings)
        system = System(settings)
    except ValidationError as error:
        fields = (f"EQUILOOP_{row['loc'][0]}".upper() + f": {row['msg']}" for row in error.errors())
        return _fail("; ".join(fields))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: system.interrupt())
    try:
        print("equiloop: starting…", flush=True)
        with system:
            _announce(system)
            system.watch()
            print("equiloop: stopping…", flush=True)
    except Interrupted:
        pass
    except (LocalError, OSError) as error:
        return _fail(str(error))
    print("equiloop: stopped", flush=True)
    return 0


def _arguments() -> tuple[str, LocalSettings]:
    """Answer what to ask of a system that runs (nothing: run one), and the settings."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local",
        description="Start store, services and gateway; stop with Ctrl-C.",
        epilog="Every setting: EQUILOOP_… in the environment, see README.md.",
    )
    parser.add_argument(
        "command",
        nargs="?",
        default="",
        choices=["", *COMMANDS],
        metavar="|".join(COMMANDS),
        help="ask the services that run: how they get on, which streams their views hold back; "
        "or have those tried again. Exit code 1: not all is well",
    )
    parser.add_argument(
        "--store",
        default=os.environ.get("STORE"),
        help="URL of the log; `server`: serve the embedded one through services.eventstore; "
        "default: $STORE, $EQUILOOP_STORE, or events.db in the data directory",
    )
    given = parser.parse_args()
    settings = LocalSettings(store=given.store) if given.store else LocalSettings()
    return given.command, settings


def _announce(system: System) -> None:
    settings = system.settings
    rows = [("gateway", f"{settings.gateway}  gRPC, gRPC-Web, REST")]
    rows += [(name, str(getattr(settings, name))) for name in SERVICES]
    rows += [("store", settings.store_url), ("logs", str(settings.logs))]
    print("equiloop: up")
    for name, value in rows:
        print(f"  {name:<9} {value}")
    print(f"try:  curl -s {system.url}/v1/customers {_EXAMPLE}")
    print("stop: Ctrl-C", flush=True)


def _fail(line: str) -> int:
    print(f"equiloop: {line}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
