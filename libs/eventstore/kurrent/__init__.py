"""The production event store: a KurrentDB cluster, through its official client.

``store`` is the port over the client; ``reading`` makes batches of its events; ``appends`` sends
appends over one call; ``errors`` names the client's errors as the port does.
"""

from libs.eventstore.kurrent.store import KurrentStore, open_kurrent

__all__ = ["KurrentStore", "open_kurrent"]
