"""The way from words to worth: steps of a history, each with its event, in log order."""

from services.feedback.trace.reading import Way, read
from services.feedback.trace.telling import bought

__all__ = ["Way", "bought", "read"]
