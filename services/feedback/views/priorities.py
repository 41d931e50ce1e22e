"""ThemePriority: how urgent did people decide each theme to be?"""

from collections.abc import Sequence

import apsw
from equiloop.feedback.v1 import market_events_pb2 as events

from libs.projection import Fact


class ThemePriority:
    """The latest priority of each theme that people decided about."""

    name = "theme_priority"
    version = 1
    tables = ("theme_priority",)
    schema = """
        CREATE TABLE IF NOT EXISTS theme_priority (
            theme TEXT PRIMARY KEY,
            priority INTEGER NOT NULL
        ) WITHOUT ROWID
    """
    handles = frozenset({events.ThemePrioritised})

    def fold(self, db: apsw.Connection, facts: Sequence[Fact]) -> None:
        """Keep what was decided last."""
        decided = [
            (fact.event.theme, fact.event.priority)
            for fact in facts
            if isinstance(fact.event, events.ThemePrioritised)
        ]
        db.executemany("INSERT OR REPLACE INTO theme_priority VALUES (?, ?)", decided)


def priorities(db: apsw.Connection) -> dict[str, int]:
    """Answer the priority of every theme that has one, by name."""
    return dict(db.execute("SELECT theme, priority FROM theme_priority ORDER BY theme"))
