"""Check the gateway's configuration: `python -m gateway.validate`, part of `make lint`.

Renders it with the settings of this environment, asks of every method of the contract how it would
be treated, and lets Envoy itself validate the file.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from gateway.binary import EnvoyMissing, find
from gateway.check import problems
from gateway.contract import methods, read_contract
from gateway.render import GatewaySettings, render, write


def main() -> int:
    """Print one line if all is well, else one for each problem; answer the exit code."""
    contract = read_contract()
    config = render(GatewaySettings(), contract)
    wrong = problems(config, contract)
    try:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "envoy.json"
            write(config, path)
            command = [str(find()), "--mode", "validate", "--log-level", "error", "-c", str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own binary
    except EnvoyMissing as error:
        wrong.append(str(error))
    else:
        if done.returncode:
            wrong.append(done.stderr.strip() or done.stdout.strip())
    if wrong:
        print("\n".join(f"gateway: {line}" for line in wrong), file=sys.stderr)
        return 1
    print(f"gateway: the configuration is valid and serves all {len(methods(contract))} methods")
    return 0


if __name__ == "__main__":
    sys.exit(main())
