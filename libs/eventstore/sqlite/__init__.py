"""The embedded event store: one SQLite file that all processes of one host share.

``file`` opens it and says what is wrong with it; ``ledger`` writes within a transaction and keeps
the rules; ``commits`` shares a transaction among all who wait; ``reader`` reads; ``feed`` wakes
whoever follows the log; ``store`` puts them together behind the port.
"""

from libs.eventstore.sqlite.store import SqliteStore, open_sqlite

__all__ = ["SqliteStore", "open_sqlite"]
