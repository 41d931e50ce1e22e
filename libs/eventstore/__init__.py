"""The event store: one port, two ways to the log."""
