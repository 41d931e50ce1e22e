"""The main job, on real data, through the gateway, verified: `python -m deploy.demo`."""

import os
import re
import signal
import sys
from pathlib import Path

import grpc
from rich.console import Console

from deploy.demo.demo import run
from deploy.demo.listen import ImportFailed
from deploy.demo.settle import Unsettled
from deploy.local.errors import LocalError
from deploy.local.settings import LocalSettings
from deploy.local.system import System
from libs.eventstore.port import StoreError
from libs.projection import Poisoned

HOME = Path("var/demo")
"""One directory a log: read models of one log are nonsense on another."""

REPORT = Path("build/demo/report.json")


def _keep(settings: LocalSettings) -> None:
    """Leave the system running for a look around."""
    system = System(settings)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: system.interrupt())
    with system:
        print(f"demo: the system stays up at {system.url}; try")
        print(f"  curl -s '{system.url}/v1/customerEquity?asOf=1998-06-30T23:59:59Z'")
        print("stop: Ctrl-C", flush=True)
        system.watch()


def main() -> int:
    """Answer 0 when all is done and equal, 1 when something failed, 130 after Ctrl-C."""
    console = Console()
    store = os.environ.get("STORE", "")
    home = HOME / (re.sub(r"[^a-z0-9]+", "-", store.partition("?")[0].lower()) or "embedded")
    settings = LocalSettings(data=home / "data", logs=home / "log", store=store)
    try:
        equal = run(console, settings, REPORT)
        if equal and os.environ.get("KEEP"):
            _keep(settings)
    except KeyboardInterrupt:
        print("demo: interrupted; start it again and it goes on", file=sys.stderr)
        return 130
    except grpc.aio.AioRpcError as error:
        print(f"demo: {error.code().name}: {error.details()}", file=sys.stderr)
        return 1
    except (LocalError, StoreError, OSError, ImportFailed, Poisoned, Unsettled) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
