"""FeedbackToAction over a million items: the facts of its view in columns, scanned at once."""

from services.feedback.funnel.count import Funnel, Question, count, waiting
from services.feedback.funnel.fires import Fires, fires
from services.feedback.funnel.history import History

__all__ = ["Fires", "Funnel", "History", "Question", "count", "fires", "waiting"]
