"""How large the proof is, and the chance that it runs on: both can be set from outside.

``EQUILOOP_VERIFY_SCALE`` (1: in full) multiplies every size; ``EQUILOOP_VERIFY_SEED`` repeats the
choices of an earlier run (which process is killed, at which of its writes the power fails).
"""

import os
import time
from pathlib import Path

SCALE = float(os.environ.get("EQUILOOP_VERIFY_SCALE", "1"))
SEED = int(os.environ.get("EQUILOOP_VERIFY_SEED", str(time.time_ns() % 1_000_000_000)))

ROOT = Path(__file__).parents[2]
"""Where modules are imported from by the processes that a check starts."""


def scaled(size: int, least: int = 1) -> int:
    """Answer ``size`` at the scale of this run, and not less than what can still prove a thing."""
    return max(round(size * SCALE), least)
