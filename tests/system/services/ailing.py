"""`python -m tests.system.services.ailing FILE`: the feedback service, one view of it broken.

While FILE exists, its inbox cannot fold a coding whose theme is named there: as if by a mistake
that a later release mends.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import apsw
from equiloop.feedback.v1 import events_pb2 as events

from libs.chassis.main import main
from libs.projection import Fact
from services.feedback import __main__ as feedback
from services.feedback.views.inbox import FeedbackInbox

SICK = Path(sys.argv[1])
fold = FeedbackInbox.fold


def stumble(self: FeedbackInbox, db: apsw.Connection, facts: Sequence[Fact]) -> None:
    """Fold, but for what the file names."""
    fold(self, db, facts)
    theme = SICK.read_text() if SICK.exists() else None
    for fact in facts:
        if isinstance(fact.event, events.FeedbackCoded) and theme in fact.event.themes:
            raise ZeroDivisionError(f"no room for {theme}")


if __name__ == "__main__":
    FeedbackInbox.fold = stumble  # type: ignore[method-assign]
    main("feedback", feedback.compose)
