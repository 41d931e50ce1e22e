"""Reactions: an event seen → a command of our own; one module a policy."""
